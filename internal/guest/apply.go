package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"
)

// Target is a tree that can be changed.
type Target interface {
	FS
	// Write makes a file or replaces it as a whole, with its owner and mode; directories above it are made, 0755. A security label is
	// given as the guest's policy wants it.
	Write(ctx context.Context, name string, f File) error
	// Remove takes a file away; one that is not there is none the less gone.
	Remove(ctx context.Context, name string) error
	// Replace puts the file made in the place of name, with name's owner, mode and label.
	Replace(ctx context.Context, name, made string) error
	// Run runs a command in the tree and returns what it printed. A status other than 0 is an ErrCommand.
	Run(ctx context.Context, c Command) (output string, err error)
	// Free returns how many bytes may be written to the file system that holds name or would hold it.
	Free(ctx context.Context, name string) (int64, error)
}

// Journal hears what Apply does.
type Journal interface {
	// Log gets a line for each step.
	Log(line string)
	// Keep is called before a file is changed, removed or replaced, so that the change can be taken back.
	Keep(ctx context.Context, tree FS, name string) error
}

// Done is a Change that was made.
type Done struct {
	Change
	Output  string  `json:"output,omitempty"`  // of the command, its end
	Seconds float64 `json:"seconds,omitempty"` // that the step took
	Failed  string  `json:"failed,omitempty"`  // why an optional command left things as they were
}

// maxOutput is how much of a command's output is kept: its end, where the reason stands.
const maxOutput = 8 << 10

// Apply makes changes in order. It first looks whether there is room for all commands, so that nothing is half done for want of space.
// It stops at the first failure and returns what was done until then. clock times each step.
func Apply(ctx context.Context, target Target, changes []Change, journal Journal, clock func() time.Time) ([]Done, error) {
	if err := checkRoom(ctx, target, changes); err != nil {
		return nil, err
	}
	var done []Done
	for _, c := range changes {
		began := clock()
		d, err := apply(ctx, target, c, journal)
		d.Seconds = float64(max(clock().Sub(began), 0).Milliseconds()) / 1000
		if err != nil {
			return done, fmt.Errorf("%s: %w", c.Fixer, err)
		}
		journal.Log(d.line())
		done = append(done, d)
	}
	return done, nil
}

// checkRoom adds up what the commands need in each directory: one after the other they make a file, which is beside the one that it
// replaces until it takes its place. A small /boot would never do if all were there at once.
func checkRoom(ctx context.Context, target Target, changes []Change) error {
	grown, most := map[string]int64{}, map[string]int64{} // what stays, and what the largest step needs on top for a while
	for _, c := range changes {
		if c.Run == nil || c.Run.NeedBytes == 0 {
			continue
		}
		if c.Path != "" {
			old, err := target.Stat(ctx, c.Path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			dir := path.Dir(c.Path)
			grown[dir] += max(c.Run.NeedBytes-old.Size, 0)
			most[dir] = max(most[dir], min(old.Size, c.Run.NeedBytes))
		}
		if c.Run.Makes != "" {
			dir := path.Dir(c.Run.Makes)
			most[dir] = max(most[dir], c.Run.NeedBytes)
		}
	}
	for dir := range most {
		free, err := target.Free(ctx, dir)
		if err != nil {
			return err
		}
		if need := grown[dir] + most[dir]; free < need {
			return fmt.Errorf("%w: %s needs %d bytes for the repairs and has %d", ErrSpace, dir, need, free)
		}
	}
	return nil
}

func apply(ctx context.Context, target Target, c Change, journal Journal) (Done, error) {
	d := Done{Change: c}
	if c.Run != nil {
		return run(ctx, target, c, journal)
	}
	if c.Before != nil {
		if err := journal.Keep(ctx, target, c.Path); err != nil {
			return d, err
		}
	}
	if c.After == nil {
		return d, target.Remove(ctx, c.Path)
	}
	return d, target.Write(ctx, c.Path, *c.After)
}

// run runs the command of a change, proves what it did, and puts what it made in its place.
func run(ctx context.Context, target Target, c Change, journal Journal) (Done, error) {
	d := Done{Change: c}
	output, err := target.Run(ctx, *c.Run)
	d.Output = output[max(0, len(output)-maxOutput):]
	if err == nil && c.Run.Makes != "" {
		if _, serr := target.Stat(ctx, c.Run.Makes); serr != nil {
			err = fmt.Errorf("%w: %s ended well and did not write %s: %w", ErrProof, c.Run.Args[0], c.Run.Makes, serr)
		}
	}
	if err == nil && c.Run.Prove != nil {
		if perr := c.Run.Prove(ctx, target); perr != nil {
			err = fmt.Errorf("%w: %s: %w", ErrProof, c.Run.Args[0], perr)
		}
	}
	if err == nil && c.Run.Makes != "" {
		if err = journal.Keep(ctx, target, c.Path); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = target.Replace(ctx, c.Path, c.Run.Makes)
		}
	}
	if err != nil && c.Run.Makes != "" && !errors.Is(err, ErrAppliance) { // nothing can be removed any more where that is gone
		err = errors.Join(err, target.Remove(ctx, c.Run.Makes))
	}
	if err != nil && c.Run.Optional && ctx.Err() == nil {
		d.Failed = err.Error()
		return d, nil
	}
	return d, err
}

// line says what was done, for the log.
func (d Done) line() string {
	what := "edited " + d.Path
	switch {
	case d.Failed != "":
		what = "left as it is: " + d.Failed
	case d.Run != nil:
		what = fmt.Sprintf("ran %q", d.Run.Args)
	case d.After == nil:
		what = "removed " + d.Path
	case d.Before == nil:
		what = "made " + d.Path
	}
	return fmt.Sprintf("%s: %s (%s)", d.Fixer, what, d.Why)
}
