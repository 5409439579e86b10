package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"hyper2kvm/internal/config"
	"hyper2kvm/internal/daemon"
)

// Limits of the secret that webhook calls are signed with.
const (
	minSecret = 16 // bytes: less could be guessed from a few signatures
	maxSecret = 4096
)

// webhookOf is who hears of jobs that end. The secret is read at each start and reload.
func webhookOf(c config.Config) (daemon.Webhook, error) {
	w := daemon.Webhook{URL: c.WebhookURL, Events: c.WebhookEvents}
	if c.WebhookSecretFile == "" {
		return w, nil
	}
	f, err := os.Open(c.WebhookSecretFile)
	if err != nil {
		return w, fmt.Errorf("webhook_secret_file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return w, fmt.Errorf("webhook_secret_file: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return w, fmt.Errorf("webhook_secret_file: everybody may read %q (its mode is %#o): chmod 0640 it", c.WebhookSecretFile, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return w, fmt.Errorf("webhook_secret_file: %w", err)
	}
	w.Secret = bytes.TrimSpace(b)
	if len(w.Secret) < minSecret || len(b) > maxSecret {
		return w, fmt.Errorf("webhook_secret_file: %q holds %d bytes, want %d to %d", c.WebhookSecretFile, len(w.Secret), minSecret, maxSecret)
	}
	return w, nil
}
