package guestfs

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"hyper2kvm/internal/guest"
)

// policyName is SELINUXTYPE in /etc/selinux/config: targeted, mls, default.
var policyName = regexp.MustCompile(`(?m)^\s*SELINUXTYPE\s*=\s*([A-Za-z0-9_-]+)`)

// Label gives files the SELinux label that the guest's policy wants for their names, with the appliance's setfiles. Nothing is done in a
// guest without SELinux. Where the appliance has no setfiles, files keep what Write gave them, and a warning says so.
func (s *Session) Label(ctx context.Context, names []string) ([]guest.Warning, error) {
	s.mu.Lock()
	labels := s.labels
	s.mu.Unlock()
	if !labels || len(names) == 0 {
		return nil, nil
	}
	config, err := s.ReadFile(ctx, "/etc/selinux/config")
	if err := ignoreMissing(err); err != nil {
		return nil, err
	}
	m := policyName.FindSubmatch(config)
	if m == nil {
		return nil, nil
	}
	contexts := fmt.Sprintf("/etc/selinux/%s/contexts/files/file_contexts", m[1])
	if _, err := s.Stat(ctx, contexts); err != nil {
		return nil, ignoreMissing(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.call(ctx, "feature-available", "selinuxrelabel")
	if err != nil {
		return nil, err
	}
	if firstLine(out) != "true" {
		return []guest.Warning{{
			Message: "the appliance has no setfiles: new files carry the SELinux label of their directory, others the one they had",
			Hint:    "install policycoreutils on the host, or make /.autorelabel in the guest",
		}}, nil
	}
	defer s.cache.clear()
	var warnings []guest.Warning
	for _, n := range names {
		if err := checkName("label", n); err != nil {
			return warnings, err
		}
		_, err := s.call(ctx, "selinux-relabel", contexts, n, "force:true")
		if errors.Is(err, guest.ErrAppliance) {
			return warnings, err
		}
		if err != nil && !strings.HasSuffix(err.Error(), "No such file or directory") {
			warnings = append(warnings, guest.Warning{Message: "label of " + clean(n) + ": " + err.Error()})
		}
	}
	return warnings, nil
}
