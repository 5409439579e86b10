package proof_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/proof/cutdisk"
)

// TestFailedSync lets the disk fail the one write that brings a job's meta.json to it: the job must not count as done.
func TestFailedSync(t *testing.T) {
	onlyInProof(t)
	srv := server(t)
	row := finding{Fault: "failed sync of the commit, ext4", States: 1}
	if err := failedSync(t, srv, ""); err != nil {
		row.Violations = 1
		t.Error(err)
	}
	report(t, row)
}

// failedSync runs one job on a disk that fails to take its meta.json, then cuts the power and recovers.
func failedSync(t *testing.T, srv *cutdisk.Server, mistake string) error {
	t.Helper()
	r := newRigs(t, srv, fileSystems[0], 1)[0]
	rnd := rand.New(rand.NewPCG(1, 1))
	work, err := newWorkload(rnd)
	if err != nil {
		return err
	}
	if err := errors.Join(r.format(), r.mount()); err != nil {
		return err
	}
	_, err = once(r, "")
	if err := errors.Join(err, os.Mkdir(filepath.Join(r.dirs[0], "stage"), 0o755)); err != nil {
		return errors.Join(err, r.unmount())
	}
	j := &cutdisk.Journal{}
	for _, d := range work.drops {
		if d.name == "moved.raw" {
			err = errors.Join(err, d.submit(filepath.Join(r.w(), "to_be_processed"), filepath.Join(r.dirs[0], "stage"), j))
		}
	}
	var marks []any
	for _, op := range j.Ops() {
		marks = append(marks, op.Mark)
	}
	failed := 0
	r.slots[0].FailWrites(func(_ int64, b []byte) bool {
		if failed == 0 && bytes.HasPrefix(b, []byte("{\n")) && bytes.Contains(b, []byte(`"claimed_at": "`)) {
			failed++
			return true
		}
		return false
	})
	said, refused := once(r, mistake)
	cut := r.images()
	err = errors.Join(err, r.unmount())
	if failed == 0 {
		return fmt.Errorf("no meta.json was written: %s %w", said, err)
	}
	if refused == nil {
		err = errors.Join(err, errors.New("the daemon says that all is well after a sync that failed"))
	}
	if err != nil {
		return err
	}
	l := &life{work: work}
	return l.recoverOnce(r, state{disks: cut, marks: marks}, nil, "")
}
