package daemon

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestWhatFailsAgainAndAgainIsToldRarely(t *testing.T) {
	var text strings.Builder
	now := time.Unix(0, 0)
	r := repeated{log: slog.New(slog.NewTextHandler(&text, nil)), clock: func() time.Time { return now }, what: "look"}
	for _, step := range []struct {
		after time.Duration
		err   error
		told  int // lines in all
	}{
		{0, nil, 0}, {0, errors.New("gone"), 1}, {time.Second, errors.New("gone"), 1}, {time.Minute, errors.New("gone"), 2},
		{time.Second, nil, 3}, {time.Second, nil, 3}, {0, errors.New("gone"), 4}, {-time.Hour, errors.New("gone"), 5},
	} {
		now = now.Add(step.after)
		r.result(step.err)
		if got := strings.Count(text.String(), "\n"); got != step.told {
			t.Fatalf("%+v: %d lines\n%s", step, got, text.String())
		}
	}
}
