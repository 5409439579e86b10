package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// modeOutput is the mode of the directories that hold finished VMs: the group reads them.
const modeOutput = modeDir

// Partial makes the directory in which the job builds its output: outRoot/.partial/<id>, absolute. It is on the file system of
// outRoot, so that publishing is one rename, and the record knows it before it exists, so that nothing is ever left behind.
func (c *Claim) Partial(ctx context.Context, outRoot string) (string, error) {
	if !filepath.IsAbs(outRoot) {
		return "", fmt.Errorf("%w: output directory %q is not absolute", ErrName, outRoot)
	}
	dir := filepath.Join(outRoot, partialDir, c.id)
	err := c.change(ctx, true, func(r *Record) error {
		if r.Partial != "" && r.Partial != dir {
			return fmt.Errorf("%w: %s already builds in %q", ErrState, r.ID, r.Partial)
		}
		r.Partial = dir
		if r.Phase == PhaseClaimed {
			r.Phase = PhaseRunning
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.s.dropPartial(c.rec); err != nil {
		return "", err
	}
	if err := c.s.builds(c.id); err != nil {
		return "", err
	}
	if err := c.s.makeDirs(filepath.Dir(dir), modeOutput); err != nil {
		return "", err
	}
	if err := isOwnDir(filepath.Dir(dir)); err != nil {
		return "", err
	}
	if err := c.s.fs.Mkdir(dir, modeOutput); err != nil {
		return "", kinded(err)
	}
	id, err := nodeOf(dir)
	c.rec.PartialIno = id.ino // written with the next durable record, before anything depends on it
	return dir, err
}

// isOwnDir refuses a .partial that somebody else made: it may be a link, or be exchanged while a job builds in it.
func isOwnDir(dir string) error {
	st, err := lstat(dir)
	switch {
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%w: %q is not a directory; remove it", ErrExists, dir)
	case st.Uid != uint32(os.Geteuid()) && st.Uid != 0:
		return fmt.Errorf("%w: %q belongs to user %d, not to the daemon; remove it", ErrExists, dir, st.Uid)
	}
	return nil
}

// Place chooses where the output will stand: outRoot/<date>/<vmName>, with ~2 where that is taken on the disk or by another
// running job. The date is fixed by the first call. Nothing is there until Done.
func (c *Claim) Place(ctx context.Context, outRoot, vmName string) (string, error) {
	if err := checkName(vmName); err != nil {
		return "", err
	}
	if err := checkOwnName(vmName); err != nil {
		return "", err
	}
	if hidden(vmName) || !filepath.IsAbs(outRoot) {
		return "", fmt.Errorf("%w: output %q in %q", ErrName, vmName, outRoot)
	}
	return c.place(ctx, func(r Record, n int) string {
		dir := filepath.Join(outRoot, r.Date, vmName)
		if n > 1 {
			dir += "~" + strconv.Itoa(n)
		}
		return dir
	})
}

// PlaceAt is Place for an output directory that the job itself names: there is no second choice, a taken one is ErrExists.
func (c *Claim) PlaceAt(ctx context.Context, dir string) error {
	dir = filepath.Clean(dir)
	if !filepath.IsAbs(dir) || dir == "/" {
		return fmt.Errorf("%w: output directory %q", ErrName, dir)
	}
	_, err := c.place(ctx, func(_ Record, n int) string {
		if n > 1 {
			return ""
		}
		return dir
	})
	return err
}

// place writes the first free choice into the record, durably: the rename to it must never have happened unnoticed.
func (c *Claim) place(ctx context.Context, choice func(r Record, n int) string) (string, error) {
	c.s.placeMu.Lock()
	defer c.s.placeMu.Unlock()
	err := c.change(ctx, true, func(r *Record) error {
		if r.Date == "" {
			r.Date = c.s.date(c.s.clock())
		}
		r.Phase = PhasePlaced
		for n := 1; n < maxNumber; n++ {
			dir := choice(*r, n)
			if dir == "" {
				break
			}
			if r.OutputDir == dir {
				return nil
			}
			if !exists(dir) && !c.s.isPlaced(dir, c) {
				r.OutputDir = dir
				return nil
			}
		}
		return fmt.Errorf("%w: output directory %q", ErrExists, choice(*r, 1))
	})
	return c.Record().OutputDir, err
}

// isPlaced says whether another running job will publish there.
func (s *Spool) isPlaced(dir string, but *Claim) bool {
	for _, c := range s.Live() {
		if c != but && c.Record().OutputDir == dir {
			return true
		}
	}
	return false
}

// makeDirs makes a directory and its missing parents, durably.
func (s *Spool) makeDirs(dir string, mode fs.FileMode) error {
	var todo []string
	for at := dir; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil {
			if !info.IsDir() {
				return fmt.Errorf("%w: %q is not a directory", ErrExists, at)
			}
			// A daemon that was killed may have made it and not synced it.
			if err := s.fs.SyncDir(filepath.Dir(at)); err != nil && !errors.Is(err, fs.ErrPermission) {
				return kinded(err)
			}
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return err
		}
		todo = append(todo, at)
	}
	for _, at := range slices.Backward(todo) {
		if err := s.fs.MkdirDurable(at, mode); err != nil {
			return kinded(err)
		}
	}
	return nil
}

// outputIsOurs says whether the directory that stands at OutputDir is the one that the job built: the same inode, which a rename
// keeps, or a report of ours in it.
func (s *Spool) outputIsOurs(r Record) bool {
	if r.OutputDir == "" {
		return false
	}
	id, err := nodeOf(r.OutputDir)
	if err != nil || exists(r.Partial) && r.Partial != "" {
		return false
	}
	if r.PartialIno != 0 && id.ino == r.PartialIno {
		return true
	}
	var report struct {
		ID string `json:"id"`
	}
	return readJSON(filepath.Join(r.OutputDir, "report.json"), &report) == nil && report.ID == r.ID
}
