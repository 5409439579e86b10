package convert

import (
	"context"
	"errors"

	"hyper2kvm/internal/boottest"
	"hyper2kvm/internal/manifest"
)

// The external programs that a run may start, by the names that reports have.
const (
	applianceProgram = "guestfish"
	bootProgram      = boottest.DefaultQEMU
)

// maxCommands bounds the programs in a report: a run starts three at most.
const maxCommands = 32

// command notes that an external program starts. What it returns is called once, when the program has ended; the error says that it
// could not do its work, unless nothing of it was wanted any more.
func (r *Run) command(ctx context.Context, name string) (ended func(error)) {
	began := r.Clock()
	return func(err error) {
		c := manifest.Command{Name: name, Seconds: took(max(r.Clock().Sub(began), 0))}
		if err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
			c.Failed = oneLine(err.Error())
		}
		if len(r.Commands) < maxCommands {
			r.Commands = append(r.Commands, c)
		}
	}
}
