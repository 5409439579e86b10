package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"hyper2kvm/internal/guest"
)

// maskTools keeps tools from starting that cannot be removed, and says so.
func maskTools(ctx context.Context, tree guest.FS, f toolsFound, reason string, p *guest.Proposal) error {
	changes, err := maskServices(ctx, tree, f.kind, f.kind.title+" serve another hypervisor and are not removed: "+reason)
	if err != nil {
		return err
	}
	p.Changes = append(p.Changes, changes...)
	p.Warnings = append(p.Warnings, guest.Warning{
		Message: fmt.Sprintf("%s stay installed and are kept from starting: %s", f.kind.title, reason),
		Hint:    "remove them in the guest when it runs on KVM",
	})
	return nil
}

// startLink is a link of System V init that starts a service: S20vmware-tools.
var startLink = regexp.MustCompile(`^S[0-9]{2}(.+)$`)

// unitDirs are where packages put units.
var unitDirs = []string{"/usr/lib/systemd/system", "/lib/systemd/system"}

// maskServices proposes what keeps the services of tools from starting with each kind of init that is there.
func maskServices(ctx context.Context, tree guest.FS, k toolKind, why string) ([]guest.Change, error) {
	systemd, err := netAnyExists(ctx, tree, "/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/bin/systemd")
	if err != nil {
		return nil, err
	}
	var changes []guest.Change
	for _, s := range k.services {
		var c []guest.Change
		if systemd {
			c, err = maskUnit(ctx, tree, s, why)
		} else {
			c, err = stopScript(ctx, tree, s, why)
		}
		if err != nil {
			return nil, err
		}
		changes = append(changes, c...)
	}
	return changes, nil
}

// maskUnit links a unit to /dev/null, as systemctl mask does, where a unit or an init script of that name is there.
func maskUnit(ctx context.Context, tree guest.FS, service, why string) ([]guest.Change, error) {
	unit := service + ".service"
	mask := path.Join("/etc/systemd/system", unit)
	names := []string{path.Join("/etc/init.d", service), mask}
	for _, d := range unitDirs {
		names = append(names, path.Join(d, unit))
	}
	there := false
	for _, n := range names {
		_, err := tree.Lstat(ctx, n)
		if err != nil && !netUnreadable(err) {
			return nil, err
		}
		there = there || err == nil
	}
	if !there {
		return nil, nil
	}
	before, err := guest.Read(ctx, tree, mask)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		before = nil
	case err != nil:
		return nil, err
	case before.Link == "/dev/null":
		return nil, nil
	}
	return []guest.Change{{Path: mask, Why: why, Before: before, After: &guest.File{Link: "/dev/null", Mode: fs.ModeSymlink | 0o777}}}, nil
}

// stopScript takes away what starts an init script: the links of System V init and of OpenRC, and Upstart's job.
func stopScript(ctx context.Context, tree guest.FS, service, why string) ([]guest.Change, error) {
	var changes []guest.Change
	remove := func(name string) error {
		c, ok, err := guest.Remove(ctx, tree, name, why)
		if ok {
			changes = append(changes, c)
		}
		return err
	}
	dirs := []string{"/etc/runlevels/boot", "/etc/runlevels/default", "/etc/runlevels/sysinit"}
	for _, level := range "S2345" {
		dirs = append(dirs, fmt.Sprintf("/etc/rc%c.d", level), fmt.Sprintf("/etc/rc.d/rc%c.d", level), fmt.Sprintf("/etc/init.d/rc%c.d", level))
	}
	seen := map[string]bool{}
	for _, d := range dirs {
		real, err := guest.Resolve(ctx, tree, d)
		if err != nil {
			return nil, err
		}
		links, err := netFiles(ctx, tree, real, func(n string) bool {
			m := startLink.FindStringSubmatch(n)
			return m != nil && m[1] == service || strings.HasPrefix(d, "/etc/runlevels/") && n == service
		})
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			if seen[l] {
				continue
			}
			seen[l] = true
			if err := remove(l); err != nil {
				return nil, err
			}
		}
	}
	job, err := netExists(ctx, tree, path.Join("/etc/init", service+".conf"))
	if err != nil || !job {
		return changes, err
	}
	c, ok, err := guest.Create(ctx, tree, path.Join("/etc/init", service+".override"), why, []byte("manual\n"), 0o644)
	if ok {
		changes = append(changes, c)
	}
	return changes, err
}
