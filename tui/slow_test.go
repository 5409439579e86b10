package tui_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// slowRate is a bad line: bytes a second.
const slowRate = 20_000

// slowJobs is how many jobs there are: many screens full.
const slowJobs = 300

// slowAnswer is how long a person waits for a key on it.
const slowAnswer = 2 * time.Second

// slowLine reads a terminal no faster than slowRate, so that the program at the other end has to wait as it would for a bad line.
type slowLine struct {
	mu   sync.Mutex
	got  bytes.Buffer
	last time.Time // of the last byte
	ours *os.File
}

func (s *slowLine) read() {
	const step = 50 * time.Millisecond
	b := make([]byte, slowRate*int(step/time.Millisecond)/1000)
	for {
		n, err := s.ours.Read(b)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.got.Write(b[:n])
		s.last = time.Now()
		s.mu.Unlock()
		time.Sleep(time.Duration(n) * time.Second / slowRate) // the line itself: nothing is waited for here
	}
}

// answer types keys and says how many bytes and how much time it took until the words had arrived.
func (s *slowLine) answer(t *testing.T, keys, words string, limit time.Duration) (int, time.Duration) {
	t.Helper()
	s.mu.Lock()
	from := s.got.Len()
	s.mu.Unlock()
	began := time.Now()
	if _, err := s.ours.WriteString(keys); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		s.mu.Lock()
		at := bytes.Index(s.got.Bytes()[from:], []byte(words))
		screen := string(s.got.Bytes()[from:])
		s.mu.Unlock()
		if at >= 0 {
			return at + len(words), time.Since(began)
		}
		if time.Since(began) > limit {
			t.Fatalf("after %q nothing said %q within %s, but %d bytes: %q", keys, words, limit, len(screen), screen[max(len(screen)-1000, 0):])
		}
	}
	return 0, 0
}

// idle measures what is sent while nothing happens.
func (s *slowLine) idle(t *testing.T) {
	t.Helper()
	sent := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.got.Len()
	}
	const quiet = 2 * time.Second
	before := sent()
	time.Sleep(quiet) // nothing happens: that is what is measured
	perSecond := (sent() - before) / int(quiet/time.Second)
	t.Logf("nothing happens: %d bytes a second", perSecond)
	if perSecond > slowRate/3 { // ages go by ten seconds in the first minute, all rows at once
		t.Errorf("%d bytes a second while nothing happens leave too little room on the line", perSecond)
	}
}

// TestSlowLine uses the watch over a line of 20 kB/s, with some hundred jobs and the colours of a theme: each key is answered within
// 2 s, and while nothing happens most of the line is free.
func TestSlowLine(t *testing.T) {
	bin := programs(t)
	base := t.TempDir()
	w := filepath.Join(base, "w")
	for _, d := range []string{"w", "out"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	daemon := exec.CommandContext(t.Context(), filepath.Join(bin, "hyper2kvmd"), "--workflow-dir", w, "--output-dir", filepath.Join(base, "out"))
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(w, ".hyper2kvm", "status.json"))
	if out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "hyperctl"), "-d", w, "workflow", "pause").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for n := range slowJobs {
		drop(t, w, fmt.Sprintf("vm%04d.raw", n), make([]byte, 512))
	}
	for _, size := range []unix.Winsize{{Row: 24, Col: 80}, {Row: 40, Col: 140}} {
		t.Run(fmt.Sprintf("%dx%d", size.Col, size.Row), func(t *testing.T) {
			ours, theirs := openTerminal(t)
			if err := unix.IoctlSetWinsize(int(ours.Fd()), unix.TIOCSWINSZ, &size); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "hyperctl"), "-d", w, "workflow", "watch", "--theme", "dark")
			cmd.Env = []string{"TERM=xterm-256color", "LC_ALL=C.UTF-8", "HOME=" + base}
			cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
			cmd.SysProcAttr = ownTerminal()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line := &slowLine{ours: ours}
			go line.read()
			n, took := line.answer(t, "", fmt.Sprintf("[1]All %d", slowJobs), 15*time.Second)
			t.Logf("the first screen: %d bytes, %s", n, took.Round(time.Millisecond))
			for _, k := range []struct{ what, keys, words string }{
				{"down", "j", "vm0001"},
				{"a page down", "\x1b[6~", "vm002"},
				{"to the end", "G", fmt.Sprintf("vm%04d", slowJobs-1)},
				{"to the start", "g", "vm0000"},
				{"filter", "/0277", "1 of 1 by"},
				{"back to all", "\r\x1b", fmt.Sprintf("of %d", slowJobs)},
				{"help", "?", "again to leave it"},
				{"out of it", "?", "vm0000"},
			} {
				n, took := line.answer(t, k.keys, k.words, slowAnswer)
				t.Logf("%s: %d bytes, %s", k.what, n, took.Round(time.Millisecond))
			}
			if size.Row > 24 { // the largest screen has most to say
				line.idle(t)
			}
			if _, err := ours.WriteString("q"); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
