package main

import (
	"bytes"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

// entry is a message as the journal gets it.
type entry struct {
	text     string
	priority journal.Priority
	fields   map[string]string
}

func TestJournalFields(t *testing.T) {
	var got entry
	send := func(message string, p journal.Priority, fields map[string]string) error {
		got = entry{message, p, fields}
		return nil
	}
	log := slog.New(&journalHandler{level: slog.LevelInfo, send: send, other: slog.DiscardHandler})
	tests := []struct {
		log  func()
		want entry
	}{
		{func() { log.Info("job done", "job", "01J", "entry", "a b.vmdk", "seconds", 1.5) },
			entry{"job done job=01J entry=\"a b.vmdk\" seconds=1.5", journal.PriInfo, map[string]string{"JOB_ID": "01J", "JOB_ENTRY": "a b.vmdk", "H2K_SECONDS": "1.5"}}},
		{func() { log.Warn("job failed", "code", "H2K-SRC-001", "error", errors.New("x\n\x1b[2Jy")) },
			entry{`job failed code=H2K-SRC-001 error="x\n\x1b[2Jy"`, journal.PriWarning, map[string]string{"H2K_CODE": "H2K-SRC-001", "H2K_ERROR": "x\n\x1b[2Jy"}}},
		{func() {
			log.With("stage", "load").WithGroup("a").With("b", 1).Error("m", slog.Group("c", "d-ü", time.Second), slog.Attr{})
		},
			entry{"m stage=load a.b=1 a.c.d-ü=1s", journal.PriErr, map[string]string{"STAGE": "load", "H2K_A_B": "1", "H2K_A_C_D__": "1s"}}},
		{func() { log.Info("m", strings.Repeat("k", 100), "") },
			entry{"m " + strings.Repeat("k", 100) + `=""`, journal.PriInfo, map[string]string{"H2K_" + strings.Repeat("K", 60): ""}}},
		{func() { log.Debug("not logged") }, entry{}},
	}
	for _, tt := range tests {
		got = entry{}
		tt.log()
		if got.text != tt.want.text || got.priority != tt.want.priority || !maps.Equal(got.fields, tt.want.fields) {
			t.Errorf("got  %+v\nwant %+v", got, tt.want)
		}
	}
}

// TestJournalGone: what the journal does not take is still said.
func TestJournalGone(t *testing.T) {
	var b bytes.Buffer
	h := &journalHandler{
		level: slog.LevelInfo, other: slog.NewTextHandler(&b, nil),
		send: func(string, journal.Priority, map[string]string) error { return errors.New("gone") },
	}
	slog.New(h).With("job", "01J").WithGroup("g").Info("job done", "k", "v")
	if !strings.Contains(b.String(), `msg="job done" job=01J g.k=v`) {
		t.Error(b.String())
	}
}
