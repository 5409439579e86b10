package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// Limits of what is looked at; a guest's files are hostile.
const (
	maxEntries   = 4096 // files of one kind: kernels times snapshots stay below
	maxWarnings  = 50   // of one fixer: a report is read by people
	maxPathLinks = 40   // symbolic links on one path, as in the kernel
)

// fileSet collects what a fixer does to a number of files.
type fileSet struct {
	tree     guest.FS
	proposal guest.Proposal
	warned   map[string]bool
	dirs     map[string]bool // directories that are known to be no links: a look costs a trip to the appliance
}

// warn adds a warning, each only once.
func (s *fileSet) warn(hint, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if s.warned == nil {
		s.warned = map[string]bool{}
	}
	if s.warned[message] || len(s.proposal.Warnings) > maxWarnings {
		return
	}
	s.warned[message] = true
	if len(s.proposal.Warnings) == maxWarnings {
		message, hint = "there is more of this kind", ""
	}
	s.proposal.Warnings = append(s.proposal.Warnings, guest.Warning{Message: message, Hint: hint})
}

// real returns the name without symbolic links in any part of it, and "" where nothing is.
func (s *fileSet) real(ctx context.Context, name string) (string, error) {
	at, rest := "/", strings.Split(strings.Trim(path.Clean(name), "/"), "/")
	for links := 0; len(rest) > 0; {
		next := path.Join(at, rest[0])
		if s.dirs[next] {
			at, rest = next, rest[1:]
			continue
		}
		info, err := s.tree.Lstat(ctx, next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", nil
		case err != nil:
			return "", err
		case info.Mode&fs.ModeSymlink == 0:
			if len(rest) > 1 && !info.Mode.IsDir() {
				return "", nil
			}
			if info.Mode.IsDir() {
				if s.dirs == nil {
					s.dirs = map[string]bool{}
				}
				s.dirs[next] = true
			}
			at, rest = next, rest[1:]
			continue
		}
		if links++; links > maxPathLinks {
			return "", nil
		}
		link, err := s.tree.Readlink(ctx, next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(link) {
			at = "/"
		}
		rest = append(strings.Split(strings.Trim(path.Clean(link), "/"), "/"), rest[1:]...)
	}
	return at, nil
}

// read returns a regular file's real name and content; the name is "" where there is none that can be worked on.
func (s *fileSet) read(ctx context.Context, name string) (string, []byte, error) {
	at, err := s.real(ctx, name)
	if err != nil || at == "" {
		return "", nil, err
	}
	info, err := s.tree.Lstat(ctx, at)
	if err != nil || !info.Mode.IsRegular() {
		return "", nil, err
	}
	b, err := s.tree.ReadFile(ctx, at)
	if errors.Is(err, guest.ErrLimit) {
		s.warn("", "%q is larger than a configuration file may be, and was not looked at", at)
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	return at, b, nil
}

// text returns a file's content, "" where there is none.
func (s *fileSet) text(ctx context.Context, name string) (string, error) {
	_, b, err := s.read(ctx, name)
	return string(b), err
}

// list returns the names in a directory that end in one of the suffixes, as paths; none where there is no directory.
func (s *fileSet) list(ctx context.Context, dir string, suffixes ...string) ([]string, error) {
	at, err := s.real(ctx, dir)
	if err != nil || at == "" {
		return nil, err
	}
	info, err := s.tree.Lstat(ctx, at)
	if err != nil || !info.Mode.IsDir() {
		return nil, err
	}
	names, err := s.tree.ReadDir(ctx, at)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, n := range names {
		for _, suffix := range suffixes {
			if strings.HasSuffix(n, suffix) {
				found = append(found, path.Join(at, n))
				break
			}
		}
		if len(found) == maxEntries {
			s.warn("", "%q holds more than %d files, and only those were looked at", at, maxEntries)
			break
		}
	}
	return found, nil
}

// edit gives files, each once under its real name, to change, and proposes what comes back different.
func (s *fileSet) edit(ctx context.Context, names []string, why string, change func(name, content string) string) error {
	seen := map[string]bool{}
	for _, name := range names {
		at, b, err := s.read(ctx, name)
		if err != nil {
			return err
		}
		if at == "" || seen[at] {
			continue
		}
		seen[at] = true
		if err := s.put(ctx, at, why, change(at, string(b))); err != nil {
			return err
		}
	}
	return nil
}

// put proposes new content of a file that is there.
func (s *fileSet) put(ctx context.Context, name, why, content string) error {
	c, ok, err := guest.Edit(ctx, s.tree, name, why, []byte(content))
	if ok {
		s.proposal.Changes = append(s.proposal.Changes, c)
	}
	return err
}

// remove proposes that a file goes.
func (s *fileSet) remove(ctx context.Context, name, why string) error {
	c, ok, err := guest.Remove(ctx, s.tree, name, why)
	if ok {
		s.proposal.Changes = append(s.proposal.Changes, c)
	}
	return err
}
