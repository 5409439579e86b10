package daemon

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// still is a process that nothing can be done to.
type still struct{}

func (still) signal(syscall.Signal) {}
func (still) wait() error           { return nil }

// watcher watches for a stall of a child that speaks again as soon as the test does, and says whether it saw one.
func watcher() {
	c := &child{player: player{process: still{}}, exited: make(chan struct{})}
	alive, stalled := c.watchStall(context.Background(), time.Second)
	fmt.Println("watching")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	signs := time.NewTicker(10 * time.Millisecond)
	for range 100 {
		<-signs.C
		alive()
	}
	fmt.Println("stalled:", stalled())
}

// A daemon that was stopped for longer than the limit and goes on does not take its children for stalled: what they said meanwhile is still
// to be read.
func TestStoppedDaemonSeesNoStall(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "H2K_TEST_CHILD=watcher")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || line != "watching\n" {
		t.Fatal(line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if !pause(t.Context(), 2*time.Second) {
		t.Fatal("the test was ended")
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("go on\n")); err != nil {
		t.Fatal(err)
	}
	line, err := lines.ReadString('\n')
	if err != nil || line != "stalled: false\n" {
		t.Errorf("it says %q, %v", line, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
