package queue

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEvidenceGoesWithTheLog keeps it when the job fails, names it in the record, and prunes it when the record goes.
func TestEvidenceGoesWithTheLog(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, err := Start(filepath.Join(t.TempDir(), "w"), StartOptions{Clock: func() time.Time { return now }, Location: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	drop(t, s, "a.img", "disk")
	l, err := lookAt(s.path(DirQueued), "a.img")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Claim(t.Context(), Entry{Name: "a.img", Path: s.path(DirQueued, "a.img"), Identity: l.id, Files: l.files}, Need{Kind: "disk"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.KeepEvidence("../x", strings.NewReader("")); !errors.Is(err, ErrName) {
		t.Errorf("a name of its own choosing: %v", err)
	}
	if err := c.KeepEvidence(EvidenceSerial, strings.NewReader("(initramfs)")); err != nil {
		t.Fatal(err)
	}
	if err := c.Fail(t.Context(), Outcome{}); err != nil {
		t.Fatal(err)
	}
	kept := s.path(evidenceName(c.Record(), EvidenceSerial))
	if b, err := os.ReadFile(kept); err != nil || string(b) != "(initramfs)" {
		t.Errorf("%q, %v", b, err)
	}
	if rec := string(c.Record().Final); !strings.Contains(rec, evidenceName(c.Record(), EvidenceSerial)) {
		t.Errorf("the record does not name it: %s", rec)
	}
	now = now.AddDate(0, 0, 30)
	if err := s.Prune(t.Context(), Retention{Age: time.Hour, Records: time.Hour, Failed: true}, func(Pruned) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(kept); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it outlives its record: %v", err)
	}
}
