package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"hyper2kvm/internal/atomicfile"
)

// plug is a model of what a file system owes: it knows which changes were synced, and pulling it leaves a tree in which each other
// change has happened or not. A rename is one change, durable with either directory; with the old one not synced both names may stay,
// as on btrfs. A new name is durable with its directory, content with its file. Removing a tree counts as durable at once.
type plug struct {
	grave   string // keeps what was removed
	steps   []change
	dirty   map[uint64]bool // inodes whose content was not synced
	removed int
	lost    []string // what the last pull did
	next    func(atomicfile.Step) error
}

type change struct {
	op, path, to string
	dir, toDir   string // of them
	synced       bool
	half         bool   // of a rename: only the new directory was synced
	kept         string // of a removed file
}

func newPlug(grave string) *plug { return &plug{grave: grave, dirty: map[uint64]bool{}} }

// before notes a step; it is told of all that are not stopped.
func (p *plug) before(s atomicfile.Step) error {
	if p.next != nil {
		if err := p.next(s); err != nil {
			return err
		}
	}
	c := change{op: s.Op, path: s.Path, to: s.To}
	switch s.Op {
	case "create", "mkdir", "remove":
		c.dir = filepath.Dir(s.Path)
	case "rename":
		c.dir, c.toDir = filepath.Dir(s.Path), filepath.Dir(s.To)
	}
	switch s.Op {
	case "syncdir":
		if exists(s.Path) { // else it fails by itself
			p.syncDir(s.Path)
			return atomicfile.ErrTaken // memory has nothing to sync
		}
	case "sync":
		if st, err := lstat(s.Path); err == nil {
			delete(p.dirty, st.Ino)
			return atomicfile.ErrTaken
		}
	case "write":
		if st, err := lstat(s.Path); err == nil {
			p.dirty[st.Ino] = true
		}
	case "remove":
		if st, err := lstat(s.Path); err == nil && st.Nlink == 1 { // the loss of one of two names counts as durable: the queue looks at the number of links
			c.kept = p.keep(s.Path)
		}
		p.steps = append(p.steps, c)
	case "create", "mkdir", "rename":
		if s.Op == "rename" {
			c.kept = p.keep(s.To)
		}
		p.steps = append(p.steps, c)
	}
	return nil
}

// keep keeps what a step takes away. A directory, or nothing, cannot be kept: then it says "".
func (p *plug) keep(path string) string {
	kept := filepath.Join(p.grave, strconv.Itoa(p.removed))
	if os.Link(path, kept) != nil {
		return ""
	}
	p.removed++
	return kept
}

func (p *plug) syncDir(dir string) {
	for i := range p.steps {
		c := &p.steps[i]
		switch {
		case c.synced:
		case c.op == "rename" && c.toDir == dir:
			c.half, c.synced = c.dir != dir, c.dir == dir
		case c.dir == dir:
			c.synced = true
		}
	}
	p.steps = slices.DeleteFunc(p.steps, func(c change) bool { return c.synced })
}

// pull cuts the power: choose says for each change that nothing made durable whether it is lost, and how much of a content.
func (p *plug) pull(roots []string, choose func(n int) int) error {
	p.lost = nil
	for _, c := range slices.Backward(p.steps) {
		p.lost = append(p.lost, fmt.Sprintf("perhaps %s %s %s, half: %v", c.op, c.path, c.to, c.half))
		if err := c.lose(choose); err != nil {
			return err
		}
	}
	p.steps = nil
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			st, err := lstat(path)
			if err != nil || !p.dirty[st.Ino] {
				return err
			}
			switch choose(3) {
			case 0:
				return os.Truncate(path, 0)
			case 1:
				return os.Truncate(path, st.Size/2)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	p.dirty = map[uint64]bool{}
	return nil
}

// lose undoes a change, if it is chosen and if what came later lets it.
func (c change) lose(choose func(int) int) error {
	if c.half { // it happened; the old name may be back beside the new one
		if st, err := os.Lstat(c.to); err == nil && st.Mode().IsRegular() && choose(4) == 0 {
			if err := os.Link(c.to, c.path); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	}
	if choose(2) == 0 {
		return nil
	}
	switch c.op {
	case "create":
		if err := os.Remove(c.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	case "mkdir":
		return os.RemoveAll(c.path) // with what was made durable in it: its name was not
	case "remove":
		if c.kept != "" {
			if _, err := os.Lstat(c.path); errors.Is(err, fs.ErrNotExist) {
				_ = os.Rename(c.kept, c.path) // unless its directory is gone too
			}
		}
	case "rename":
		if _, err := os.Lstat(c.path); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err := os.Rename(c.to, c.path); err != nil {
			return nil //nolint:nilerror // a later change that is durable stands on it
		}
		if c.kept != "" {
			_ = os.Rename(c.kept, c.to)
		}
	}
	return nil
}
