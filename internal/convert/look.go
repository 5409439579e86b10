package convert

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/scratch"
)

// Look is what a run of a job would find and do.
type Look struct {
	Plan   Plan            `json:"plan"`
	Report manifest.Report `json:"report"` // of a dry run: the guest as it is, and each change that FIX would make
}

// lookPrefix begins the names of the directories for temporary files of looks.
const lookPrefix = "h2k-look-"

// LookInto opens the sources and the guest in them and plans everything. It converts nothing and writes nothing but scratch files, in a
// directory for temporary files that it removes. accel says whether KVM works, and why not. The Look is good as far as it came also with
// an error.
func LookInto(ctx context.Context, req Request, events Events, guests Guests, accel func(context.Context) (bool, string)) (look Look, err error) {
	req.Job.DryRun = true
	scratch.Sweep(os.TempDir(), lookPrefix, time.Now()) // what a look left that was killed
	dir, remove, err := scratch.New(lookPrefix)
	if err != nil {
		return Look{}, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	req.Partial = filepath.Join(dir, "partial")
	if err := os.Mkdir(req.Partial, 0o700); err != nil {
		return Look{}, err
	}
	if guests == nil {
		guests = HostGuests{}
	}
	r := &Run{Request: req, Events: &serialEvents{to: events}, Host: &looker{dir: req.Partial, accel: accel}, Clock: time.Now, guests: guests, temp: dir}
	defer r.close()
	started := r.Clock()
	reports, failure := runStages(ctx, r, stages)
	look = Look{Plan: r.Plan, Report: r.report(started, reports, failure)}
	if failure != nil {
		return look, &CodedError{Code: failure.Code, Hint: failure.Hint, Err: errors.New(failure.Message)}
	}
	return look, nil
}

// looker is the Host of a look: it has what there is.
type looker struct {
	dir   string
	accel func(context.Context) (bool, string)
}

// Reserve implements Host.
func (l *looker) Reserve(context.Context, []SpaceNeed) error { return nil }

// Place implements Host.
func (l *looker) Place(_ context.Context, vmName string) (string, error) {
	return filepath.Join(l.dir, vmName), nil
}

// Admit implements Host.
func (l *looker) Admit(ctx context.Context, _ int) (Admission, error) {
	kvm, why := l.accel(ctx)
	return Admission{KVM: kvm, Why: why, Release: func() {}}, nil
}

// Changes returns the changes that FIX would make, as text for people: a line of reason and the diff, or the command.
func (l Look) Changes() []string {
	var out []string
	for _, c := range l.Report.Repairs {
		head := fmt.Sprintf("%s: %s", c.Fixer, oneLine(c.Why))
		switch {
		case len(c.Command) > 0:
			out = append(out, fmt.Sprintf("%s\n  runs %q%s\n", head, c.Command, proofText(c.Proof)))
		default:
			out = append(out, head+"\n"+c.Diff)
		}
	}
	return out
}

func proofText(proof string) string {
	if proof == "" {
		return ""
	}
	return "\n  and proves: " + oneLine(proof)
}
