package config_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/config"
)

func TestRetention(t *testing.T) {
	got, err := config.Parse("c.yaml", []byte("retention_age: 720h\nretention_count: 500\nretention_free: 50GiB\nretention_records: 8760h\nretention_failed: true\n"+
		"webhook_url: https://example.org/hook?key=abc\nwebhook_events: [failure, stall]\nwebhook_secret_file: /etc/hyper2kvm//hook\n"))
	if err == nil {
		err = got.Validate()
	}
	want := config.Default()
	want.WorkflowDir = config.DefaultWorkflowDir
	want.RetentionAge, want.RetentionCount, want.RetentionFree, want.RetentionRecords, want.RetentionFailed = 720*time.Hour, 500, 50<<30, 8760*time.Hour, true
	want.WebhookURL, want.WebhookEvents, want.WebhookSecretFile = "https://example.org/hook?key=abc", []string{"failure", "stall"}, "/etc/hyper2kvm/hook"
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v (%v)", got, want, err)
	}
}

// TestRefusedRetention: a mistyped rule must never be read as another one, and an address that is refused is not repeated.
func TestRefusedRetention(t *testing.T) {
	tests := []struct{ text, want string }{
		{"retention_age: 30d\n", "want a duration"},
		{"retention_count: -1\n", "want a whole number"},
		{"retention_free: \"50\"\n", "want a size"},
		{"retention_free: 50GB\n", "want a size"},
		{"retention_free: 9999999PiB\n", "want a size"},
		{"retention_free: 99999999999999999999B\n", "want a size"},
		{"retention_free: -1GiB\n", "want a size"},
		{"retention_free: GiB\n", "want a size"},
		{"webhook_events: [done]\n", "want some of success, failure, stall"},
		{"webhook_secret_file: hook\n", "want an absolute path"},
		{"webhook_url: http://example.org/s3cret\n", "in the clear"},
		{"webhook_url: http://127.0.0.1.example.org/s3cret\n", "in the clear"},
		{"webhook_url: ftp://example.org/s3cret\n", "want https"},
		{"webhook_url: https:///s3cret\n", "want an address"},
		{"webhook_url: https://:443/s3cret\n", "want an address"},
		{"webhook_url: example.org/s3cret\n", "want an address"},
		{"webhook_url: https://u:s3cret@example.org/\n", "a user or a password"},
		{"webhook_url: https://example.org/#s3cret\n", "a fragment"},
	}
	for _, tt := range tests {
		_, err := config.Parse("c.yaml", []byte(tt.text))
		if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	for _, url := range []string{"http://localhost:9/x", "http://127.0.0.1/", "http://[::1]:8080/x", "https://example.org"} {
		c, err := config.Parse("c.yaml", []byte("webhook_url: \""+url+"\"\n"))
		if err != nil || c.WebhookURL != url {
			t.Errorf("%s: %v", url, err)
		}
	}
}
