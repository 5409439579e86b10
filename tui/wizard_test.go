package tui_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// there waits for a file.
func there(t *testing.T, pattern string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s never came", pattern)
		}
	}
}

// TestWizardInTmux makes manifests on a real terminal with the real daemon: from a file to a finished job, with a crash in between.
func TestWizardInTmux(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("SKIPPED: tmux is not installed, so the wizard was not tried on a real terminal")
	}
	bin, base := programs(t), t.TempDir()
	w, out, files := filepath.Join(base, "w"), filepath.Join(base, "out"), filepath.Join(base, "files")
	for _, dir := range []string{w, out, files} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.raw", "b.raw"} {
		if err := os.WriteFile(filepath.Join(files, name), bytes.Repeat([]byte("content of a disk"), 1<<16)[:1<<20], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	daemon := exec.CommandContext(t.Context(), filepath.Join(bin, "hyper2kvmd"), "--workflow-dir", w, "--output-dir", out)
	var said bytes.Buffer
	daemon.Stderr = &said
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemon said:\n%s", said.String())
		}
	})
	there(t, filepath.Join(w, ".hyper2kvm", "status.json"))

	m := tmux{t, filepath.Join(base, "tmux")}
	m.run("new-session", "-d", "-s", "w", "-x", "100", "-y", "30", "-c", files,
		"env -u CI -u ACCESSIBLE LC_ALL=C.UTF-8 NO_COLOR=1 TERM=screen HOME="+base+" XDG_STATE_HOME="+base+"/state HYPERCTL_WORKFLOW_DIR="+w+
			" PATH="+bin+":$PATH PS1='ready> ' sh")
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", m.socket, "kill-server").Run() })
	m.shows("ready>")

	// Killed in the middle: nobody can give the terminal back then, but the answers are there.
	m.keys("sh -c 'echo $$ > ../pid; exec hyperctl manifest create'", "Enter")
	m.shows("New manifest", "a.raw", "raw 1.00 MiB")
	m.keys("Enter")
	m.shows("files/a.raw", "tab goes on")
	there(t, filepath.Join(base, "state/hyperctl/draft.yaml"))
	pid, err := os.ReadFile(filepath.Join(base, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	m.shows("Killed")
	m.keys("stty sane; clear; echo sane$((40+2))", "C-j")
	m.shows("sane42")

	m.keys("hyperctl manifest create", "Enter")
	m.shows("There is a draft of", "files/a.raw")
	m.keys("y")
	m.shows("files/a.raw", "valid")
	m.keys("Tab")
	m.shows("fstab_mode")
	m.keys("Tab")
	m.shows("output_format")
	m.shows("time and space", "free; needs at most")
	m.keys("Right", "Tab")
	m.shows("output_format: raw", "[ Save and submit ]", "p: time unknown")
	m.keys("p")
	m.shows("plan for a", "-> a.raw: raw, at most", "output and queue")
	m.keys("p")
	m.shows("output_format: raw")
	m.run("resize-window", "-t", "w", "-x", "60", "-y", "15")
	m.shows("[ Save and submit ]", "q:quit")
	m.keys("Enter")
	m.shows("save as: ./a.yaml")
	m.keys("Enter")
	if got := m.shows("submitted as a", "ready>"); strings.Contains(got, "New  ") {
		t.Errorf("the screen was not given back:\n%s", got)
	}
	there(t, filepath.Join(out, "*/a/report.json"))
	there(t, filepath.Join(out, "*/a/a.raw"))
	there(t, filepath.Join(files, "a.yaml"))
	if _, err := os.Stat(filepath.Join(base, "state/hyperctl/draft.yaml")); err == nil {
		t.Error("the draft is kept though everything is done")
	}

	// From the watch, and back to it.
	m.run("resize-window", "-t", "w", "-x", "100", "-y", "30")
	m.keys("clear; hyperctl workflow watch", "Enter")
	m.shows("hyperctl watch", "Done 1")
	m.keys("n")
	m.shows("New manifest", "b.raw")
	m.keys("End", "Enter")
	m.shows("files/b.raw", "tab goes on")
	m.keys("4")
	m.shows("[ Save and submit ]")
	m.keys("Right", "Right", "Enter")
	m.shows("hyperctl watch", "submitted as b", "Done 2", "b.yaml")
	m.keys("q")
	m.shows("ready>")
}
