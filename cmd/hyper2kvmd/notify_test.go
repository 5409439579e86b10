package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServiceManagerIsTold starts the real daemon under a service manager that only listens, and holds what it says against
// sd_notify(3): ready once it has the queue, signs of life, a reload's both ends, and that it stops.
func TestServiceManagerIsTold(t *testing.T) {
	top := t.TempDir()
	path := filepath.Join(top, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(awaitLimit)); err != nil {
		t.Fatal(err)
	}
	var said []string
	hear := func(want string) string {
		t.Helper()
		for {
			b := make([]byte, 64<<10)
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("waited for %s: %v; heard %q", want, err, said)
			}
			said = append(said, string(b[:n]))
			for line := range strings.Lines(string(b[:n])) {
				if strings.HasPrefix(line, want) {
					return string(b[:n])
				}
			}
		}
	}
	w, out := filepath.Join(top, "w"), filepath.Join(top, "out")
	config := filepath.Join(top, "c.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "workflow_dir: %s\noutput_dir: %s\n", w, out), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(binDir, "hyper2kvmd"), "--config", config)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path, "JOURNAL_STREAM=")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	hear("READY=1")
	if _, err := os.Stat(filepath.Join(w, ".hyper2kvm", "lock")); err != nil {
		t.Errorf("it says that it is ready before it has the queue: %v", err)
	}
	hear("STATUS=idle")
	hear("WATCHDOG=1")
	_ = cmd.Process.Signal(syscall.SIGHUP)
	if got := hear("RELOADING=1"); !strings.Contains(got, "\nMONOTONIC_USEC=") || strings.HasSuffix(got, "\n") {
		t.Errorf("a reload begins with %q", got)
	}
	hear("READY=1")
	_ = cmd.Process.Signal(syscall.SIGTERM)
	hear("STOPPING=1")
	hear("STATUS=stopped")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
