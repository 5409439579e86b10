package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// outputPlace is where a job builds and where its result will stand. Both are on one file system, because a result is published by
// one rename.
type outputPlace struct {
	root  string // OUT/.partial/<id>/ is made in it
	named string // the directory that the manifest asks for; "" = by date and name below root
}

// chooseOutput fixes where the job builds and publishes. A directory that the manifest names and that is not there yet becomes
// the result's; in one that is there the VM gets a directory of its own. Another running job whose directory is the same, or
// around it, or in it, comes first and is returned.
func (d *Daemon) chooseOutput(j *job, s Settings) (first *job, err error) {
	dir := j.asked.Convert.OutputDir
	if p, ok := j.claim.Need().Payload.(payload); ok && dir != "" && p.OutputRoot != "" {
		if err := noLinks(p.OutputRoot, dir); err != nil {
			return nil, err
		}
	}
	live := d.spool.Live()
	d.mu.Lock()
	defer d.mu.Unlock()
	if dir == "" {
		j.out = outputPlace{root: s.OutputDir}
		return nil, nil
	}
	place := outputPlace{root: filepath.Dir(dir), named: dir}
	switch info, err := os.Stat(dir); {
	case err == nil && info.IsDir():
		place = outputPlace{root: dir, named: filepath.Join(dir, j.asked.Name)}
		if _, err := os.Lstat(place.named); err == nil {
			return nil, &convert.CodedError{Code: manifest.CodeOutputExists, Err: fmt.Errorf("output directory %q is there already", place.named)}
		}
	case err == nil:
		return nil, &convert.CodedError{Code: manifest.CodeOutputExists, Err: fmt.Errorf("output directory %q is a file", dir)}
	}
	for _, other := range d.running {
		if n := other.out.named; n != "" && other != j && slices.Contains(live, other.claim) && (under(n, place.named) || under(place.named, n)) {
			return other, nil
		}
	}
	j.out = place
	return nil, nil
}

// placeOutput fixes the name of the result.
func (j *job) placeOutput(ctx context.Context) (string, error) {
	if j.out.named == "" {
		return j.claim.Place(ctx, j.out.root, j.asked.Name)
	}
	return j.out.named, j.claim.PlaceAt(ctx, j.out.named)
}

// noLinks refuses a directory of somebody whose paths are not trusted if a symbolic link on the way to it leads elsewhere.
func noLinks(root, dir string) error {
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return err
	}
	at := root
	for part := range strings.SplitSeq(rel, "/") {
		at = filepath.Join(at, part)
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0 && at != root:
			return &policyError{
				Code:    manifest.CodePolicyPath,
				Message: fmt.Sprintf("on the way to %q, %q is a symbolic link, which only manifests of root or of the daemon's user may follow", dir, at),
				Hint:    "name the directory that it leads to",
			}
		}
	}
	return nil
}

// outputFault gives an error of the output's file system its code.
func outputFault(err error) error {
	coded := &convert.CodedError{Code: manifest.CodeOutputWrite, Err: err}
	var own *convert.CodedError
	var policy *policyError
	switch {
	case errors.As(err, &own):
		return err
	case errors.As(err, &policy):
		coded.Code, coded.Hint = policy.Code, policy.Hint
	case errors.Is(err, queue.ErrNoSpace), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		coded.Code = manifest.CodeSpaceOutput
	case errors.Is(err, queue.ErrExists), errors.Is(err, fs.ErrExist):
		coded.Code = manifest.CodeOutputExists
	}
	return coded
}
