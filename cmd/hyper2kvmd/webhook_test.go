package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/config"
)

// TestWebhookSecret: a secret that others may read, or guess, stops the start.
func TestWebhookSecret(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		content string
		mode    os.FileMode
		want    string // of the error; "" = taken
	}{
		{"0123456789abcdef\n", 0o640, ""},
		{"0123456789abcdef", 0o644, "everybody may read"},
		{"short\n", 0o600, "holds 5 bytes"},
		{strings.Repeat("x", maxSecret+1), 0o600, "bytes"},
	} {
		path := filepath.Join(dir, "secret")
		_ = os.Remove(path)
		if err := os.WriteFile(path, []byte(tt.content), tt.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, tt.mode); err != nil {
			t.Fatal(err)
		}
		w, err := webhookOf(config.Config{WebhookURL: "https://x", WebhookSecretFile: path})
		switch {
		case tt.want == "" && (err != nil || string(w.Secret) != strings.TrimSpace(tt.content)):
			t.Errorf("%q: %q, %v", tt.content, w.Secret, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%.20q, %#o: %v", tt.content, tt.mode, err)
		}
	}
	if _, err := webhookOf(config.Config{WebhookSecretFile: filepath.Join(dir, "none")}); err == nil {
		t.Error("a secret that is not there is no secret")
	}
}
