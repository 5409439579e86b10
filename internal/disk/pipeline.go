package disk

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// unit is a piece of work that travels around the pipeline: filled by one goroutine, worked on by any, drained by one.
type unit[T any] struct {
	value T
	done  chan error // what fill or work said; one answer a round
}

// pipeline does work on many goroutines and hands the results over in order. The number of units is fixed, so memory is
// bounded and nothing is allocated per round.
type pipeline[T any] struct {
	workers int
	fill    func(context.Context, *T) (more bool, err error) // describes the next piece; false when there is none
	work    func(context.Context, *T) error                  // runs on all workers
	drain   func(context.Context, *T) error                  // sees the pieces in the order of fill
}

// run returns the error of the earliest piece that has one: the same image gives the same error, whichever worker is first.
func (p pipeline[T]) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	units := 2*p.workers + 1 // each worker has the next piece waiting while the drain holds one
	free, todo, order := make(chan *unit[T], units), make(chan *unit[T], units), make(chan *unit[T], units)
	for range units {
		free <- &unit[T]{done: make(chan error, 1)}
	}
	g.Go(func() error {
		defer close(todo)
		defer close(order)
		for {
			select {
			case <-ctx.Done():
				return nil // drain tells why
			case u := <-free:
				more, err := p.fill(ctx, &u.value)
				if err != nil {
					u.done <- err
					order <- u
					return nil
				}
				if !more {
					return nil
				}
				todo <- u
				order <- u
			}
		}
	})
	for range p.workers {
		g.Go(func() error {
			for u := range todo {
				err := context.Cause(ctx)
				if err == nil {
					err = p.work(ctx, &u.value)
				}
				u.done <- err
			}
			return nil
		})
	}
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case u, ok := <-order:
				if !ok {
					return context.Cause(ctx)
				}
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case err := <-u.done:
					if err != nil {
						return err
					}
				}
				if err := p.drain(ctx, &u.value); err != nil {
					return err
				}
				free <- u
			}
		}
	})
	return g.Wait()
}
