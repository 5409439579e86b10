package daemon

import (
	"context"
	"testing"
	"time"

	"hyper2kvm/internal/queue"
)

// TestNoSignOfLifeWithoutTheInbox: a scheduler that goes round beside an inbox that hangs is not alive.
func TestNoSignOfLifeWithoutTheInbox(t *testing.T) {
	d := newWorld(t).daemon()
	turns := make(chan struct{}, 1)
	d.watch.Turn = func() { turns <- struct{}{} }
	go d.turned()
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	time.AfterFunc(50*time.Millisecond, func() { // until now the inbox hangs: it has not begun
		if len(turns) > 0 {
			t.Error("a sign of life while the inbox hangs")
		}
		go func() { ran <- d.inbox.Run(ctx) }()
	})
	<-turns
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// TestSignsOfLife: they come while all workers are busy, and the states are told to the last.
func TestSignsOfLife(t *testing.T) {
	w := newWorld(t)
	w.settings.Workers = 1
	w.drop("gate-a.img", "a")
	d := w.daemon()
	turns, states := make(chan struct{}, 1000), make(chan string, 1000)
	d.watch.Turn = func() { turns <- struct{}{} }
	d.watch.Status = func(s queue.Status) { states <- s.State }
	go func() {
		w.hear("started")
		for len(turns) > 0 {
			<-turns
		}
		<-turns // while the only worker is busy
		w.tell("go")
	}()
	w.once(d)
	last := ""
	for len(states) > 0 {
		last = <-states
	}
	if last != stateStopped {
		t.Errorf("the last state is %q", last)
	}
}
