package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"hyper2kvm/internal/queue"
)

// TestRetentionIsOffUntilAsked: a run removes nothing by itself, and what the settings say when they say it.
func TestRetentionIsOffUntilAsked(t *testing.T) {
	w := newWorld(t)
	sources := func() int {
		t.Helper()
		all, err := filepath.Glob(filepath.Join(w.w, queue.DirDone, "*", "*.img"))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	for _, name := range []string{"ok-a.img", "ok-b.img", "ok-c.img"} {
		w.drop(name, name)
	}
	w.once(w.daemon())
	w.once(w.daemon())
	if sources() != 3 {
		t.Fatalf("%d sources are left of 3", sources())
	}
	w.settings.Retention = queue.Retention{Count: 1}
	w.once(w.daemon())
	if sources() != 1 {
		t.Errorf("%d sources are left, want 1", sources())
	}
	records, _ := filepath.Glob(filepath.Join(w.w, queue.DirDone, "*", "*.meta.json"))
	outputs, _ := os.ReadDir(filepath.Join(w.out, time.Now().Format(time.DateOnly)))
	if len(records) != 3 || len(outputs) != 3 {
		t.Errorf("%d records and %d results are left of 3", len(records), len(outputs))
	}
}
