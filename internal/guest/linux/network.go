package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// netEntry is one interface as one file configures it.
type netEntry struct {
	guest.Interface
	dhcp    bool
	virtual bool     // the guest makes it itself: bond, bridge, VLAN, tunnel
	pattern bool     // Name is a shell pattern that may match several cards
	bare    bool     // started, and nothing configures it
	renames bool     // the file itself gives the card with the MAC this name
	members []string // ports of a bond or bridge, parent of a VLAN
}

// netBackend is one way of configuring interfaces.
type netBackend interface {
	name() string
	// files returns what the backend reads, in its own order.
	files(ctx context.Context, tree guest.FS) ([]string, error)
	// read returns the interfaces of one file. An error means that the file is not understood: it is left alone.
	read(file string, text []byte) ([]netEntry, error)
	// edit returns the file as it should be, and in a few words why. An error means that it cannot be edited safely.
	edit(file string, text []byte, plan netPlan) (edited []byte, why []string, err error)
}

// netBackends lists all that are known.
func netBackends() []netBackend {
	return []netBackend{ifcfgNet{}, keyfileNet{}, netplanNet{}, ifupdownNet{}, networkdNet{}, wickedNet{}}
}

// networkFixers returns first what gives each card its old name, then one repair for each way of configuring interfaces.
func networkFixers(o Options) []guest.Fixer {
	if o.Network == "" {
		return nil
	}
	fixers := []guest.Fixer{nicNameFixer{o}, nicAliasFixer{}}
	for _, b := range netBackends() {
		fixers = append(fixers, netConfigFixer{b, o})
	}
	return append(fixers, cloudInitFixer{})
}

// inspectInterfaces fills system.Interfaces with what the guest's files configure, the loopback left out.
func inspectInterfaces(ctx context.Context, tree guest.FS, system *guest.System) error {
	scene, err := lookAtNetwork(ctx, tree)
	if err != nil {
		return err
	}
	system.Interfaces = nil
	for _, e := range scene.entries {
		if !e.bare && (e.Name != "" && e.Name != "lo" || e.MAC != "") {
			system.Interfaces = append(system.Interfaces, e.Interface)
		}
	}
	return nil
}

// netScene is all that a guest's files say about its network.
type netScene struct {
	entries []netEntry
	pins    []namePin
	naming  naming
}

// lookAtNetwork reads all of it. Files that are not understood are left out: their own repair warns of them.
func lookAtNetwork(ctx context.Context, tree guest.FS) (netScene, error) {
	var s netScene
	for _, b := range netBackends() {
		files, err := b.files(ctx, tree)
		if err != nil {
			return s, err
		}
		for _, f := range files {
			text, err := tree.ReadFile(ctx, f)
			if err != nil {
				if netUnreadable(err) {
					continue
				}
				return s, err
			}
			entries, err := b.read(f, text)
			if err != nil {
				continue
			}
			for _, e := range entries {
				e.Backend, e.File = b.name(), f
				s.entries = append(s.entries, e)
			}
		}
	}
	var err error
	if s.pins, err = readNamePins(ctx, tree); err != nil {
		return s, err
	}
	s.naming, err = lookAtNaming(ctx, tree)
	return s, err
}

// netUnreadable tells a file that is no readable configuration (a dangling link, a directory, far too large) from a guest that cannot
// be read.
func netUnreadable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, guest.ErrLimit)
}

// netFiles lists the files of a directory that keep accepts, with their whole names. A directory that is not there is empty.
func netFiles(ctx context.Context, tree guest.FS, dir string, keep func(name string) bool) ([]string, error) {
	names, err := tree.ReadDir(ctx, dir)
	if err != nil {
		if netUnreadable(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	var files []string
	for _, n := range names {
		if keep(n) && !strings.ContainsAny(n, "/\x00") {
			files = append(files, path.Join(dir, n))
		}
	}
	return files, nil
}

// netExists reports whether something is there under the name, links followed.
func netExists(ctx context.Context, tree guest.FS, name string) (bool, error) {
	_, err := tree.Stat(ctx, name)
	switch {
	case err == nil:
		return true, nil
	case netUnreadable(err):
		return false, nil
	}
	return false, err
}

// netAnyExists reports whether one of the names is there.
func netAnyExists(ctx context.Context, tree guest.FS, names ...string) (bool, error) {
	for _, n := range names {
		if ok, err := netExists(ctx, tree, n); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// netConfigFixer repairs the files of one backend.
type netConfigFixer struct {
	backend netBackend
	o       Options
}

func (f netConfigFixer) Name() string { return f.backend.name() }

func (f netConfigFixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	var p guest.Proposal
	files, err := f.backend.files(ctx, tree)
	if err != nil || len(files) == 0 {
		return p, err
	}
	scene, err := lookAtNetwork(ctx, tree)
	if err != nil {
		return p, err
	}
	plan := newNetPlan(scene, f.o)
	seen := map[string]bool{}
	for _, named := range files {
		file, err := guest.Resolve(ctx, tree, named)
		if err != nil {
			return p, err
		}
		text, err := tree.ReadFile(ctx, file)
		if seen[file] || err != nil && netUnreadable(err) {
			continue
		}
		if err != nil {
			return p, err
		}
		seen[file] = true
		edited, why, err := f.backend.edit(named, text, plan)
		if err != nil {
			p.Warnings = append(p.Warnings, guest.Warning{
				Message: fmt.Sprintf("%q is left as it is: %v", file, err),
				Hint:    "look at this file in the guest after the conversion",
			})
			continue
		}
		c, ok, err := guest.Edit(ctx, tree, file, strings.Join(slices.Compact(why), "; "), edited)
		if err != nil {
			return p, err
		}
		if ok {
			p.Changes = append(p.Changes, c)
		}
	}
	return p, nil
}
