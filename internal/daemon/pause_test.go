package daemon

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPauseReason(t *testing.T) {
	tests := []struct{ why, want string }{
		{"", "paused by alice"},
		{" \n\x1b", "paused by alice"},
		{"moving house", "paused by alice: moving house"},
		{"two\nlines\x1b[31m \u202eback\xff", "paused by alice: two lines [31m  back"},
		{strings.Repeat("ä", 150), "paused by alice: " + strings.Repeat("ä", 100)},
	}
	for _, tt := range tests {
		got := pauseReason("alice", tt.why)
		if got != tt.want || !utf8.ValidString(got) {
			t.Errorf("pauseReason(%q) = %q, want %q", tt.why, got, tt.want)
		}
	}
}
