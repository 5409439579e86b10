package daemon

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/queue"
)

// The error.json of a job is there a moment before its source is: who retries it then waits for that moment.
func TestRetryOfAJobThatIsJustFailing(t *testing.T) {
	w := newWorld(t)
	moving, move := make(chan struct{}), make(chan struct{})
	d := w.daemonWith(func(o *Options) {
		o.Before = func(s atomicfile.Step) error {
			if s.Op == "rename" && s.Path == filepath.Join(w.w, queue.DirRunning, "fail.img") {
				close(moving)
				<-move
			}
			return nil
		}
	})
	w.drop("fail.img", "x")
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- d.inbox.Run(ctx) }()
	c, err := d.inbox.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	id := c.Record().ID
	ended := make(chan struct{})
	go func() { d.run(c); close(ended) }()
	<-moving
	ask := queue.Request{Control: queue.Control{Verb: queue.VerbRetry, Job: id}, UID: uint32(os.Geteuid())}
	if terminal, _ := w.ended("fail.img"); terminal != queue.DirFailed {
		t.Fatalf("its record is in %q", terminal)
	}
	time.AfterFunc(endPoll, func() { close(move) })
	if said, err := d.answer(ctx, ask); err != nil || !strings.Contains(said, "fail.img") {
		t.Errorf("%q, %v", said, err)
	}
	<-ended
	cancel()
	<-ran
}
