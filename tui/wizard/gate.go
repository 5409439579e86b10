package wizard

import (
	"context"
	"errors"
	"time"
)

// The bounds of reading files that may lie on a file system that does not answer.
const (
	patience  = 10 * time.Second // how long one answer is waited for
	gateWidth = 4                // how many reads may be under way, those that were given up included
)

var (
	errSlow = errors.New("the file system has not answered for 10 seconds")
	errBusy = errors.New("the file system does not answer; earlier reads still hang")
)

// gate lets a few slow reads pass at a time. A read that hangs keeps its place, so that a dead file system holds up a few
// goroutines and no more.
type gate chan struct{}

func newGate() gate { return make(gate, gateWidth) }

// pass runs f and gives up on it when it takes too long or the context ends.
func pass[T any](ctx context.Context, g gate, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	var none T
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case g <- struct{}{}:
	default:
		return none, errBusy
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-g }()
		v, err := f(ctx)
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		if errors.Is(r.err, context.DeadlineExceeded) {
			r.err = errSlow
		}
		return r.v, r.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return none, errSlow
		}
		return none, ctx.Err()
	}
}
