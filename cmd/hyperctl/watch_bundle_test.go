package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

// TestBundleFromWatch: the archive that the bundle command writes, in the working directory, and not a word on the screen.
func TestBundleFromWatch(t *testing.T) {
	dir, conf := workflowDir(t, "")
	entry := filepath.Join(dir, queue.DirQueued, "web01.raw")
	if err := os.WriteFile(entry, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	here := t.TempDir()
	t.Chdir(here)
	var out, errs bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &errs, func(string) string { return "" }, time.Now)
	con.opts.daemonConfig = conf
	about := []jobs.Ref{{Path: entry, Name: "web01.raw"}}
	path, err := bundleFromWatch(t.Context(), con, about)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || filepath.Dir(path) != here || st.Size() == 0 || st.Mode() != 0o600 {
		t.Errorf("%s: %v, %v", path, st, err)
	}
	if out.Len()+errs.Len() > 0 {
		t.Errorf("printed %q and %q", out.String(), errs.String())
	}
	if _, err := bundleFromWatch(t.Context(), con, []jobs.Ref{{Name: "gone.raw"}}); err == nil || !strings.Contains(err.Error(), "gone.raw") {
		t.Errorf("of a job that is not there: %v", err)
	}
}
