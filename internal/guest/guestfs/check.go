package guestfs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// Finding is what a read-only check says of one volume.
type Finding struct {
	Device  string `json:"device"`
	Type    string `json:"type"`
	Tool    string `json:"tool"`
	Checked bool   `json:"checked"`          // false: see Detail
	Clean   bool   `json:"clean"`            // only with Checked
	Detail  string `json:"detail,omitempty"` // why it was not checked, or what the tool found: its last lines
}

// checkers are the tools that look without writing, by type of file system.
var checkers = map[string]string{
	"ext2": "e2fsck -f -n", "ext3": "e2fsck -f -n", "ext4": "e2fsck -f -n", "xfs": "xfs_repair -n", "btrfs": "btrfs check --readonly",
	"vfat": "fsck.vfat -n", "ntfs": "ntfsfix -n",
}

// maxDetail is how much of a tool's output is kept: its end.
const maxDetail = 4 << 10

// Check looks over every volume of a system without writing. Nothing may be mounted. An error is only that of the appliance: what the
// tools find is in the findings.
func (s *Session) Check(ctx context.Context, system guest.System) ([]Finding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mounts) > 0 {
		return nil, errors.New("guestfs: a check needs everything unmounted")
	}
	volumes, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, v := range volumes {
		names[v.Device] = v.kernel()
	}
	var out []Finding
	seen := map[string]bool{}
	for _, v := range system.Volumes {
		tool, ok := checkers[v.Type]
		if !ok || v.Type == "btrfs" && seen[v.UUID] { // btrfs over several volumes is checked as one
			continue
		}
		if names[v.Device] == "" {
			out = append(out, Finding{Device: v.Device, Type: v.Type, Tool: strings.Fields(tool)[0], Detail: "it is not there, or locked"})
			continue
		}
		seen[v.UUID] = true
		f, err := s.check(ctx, v, names[v.Device], tool)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// check runs one tool, and once more when it asks for a journal to be replayed and nothing of that reaches the drives.
func (s *Session) check(ctx context.Context, v guest.Volume, kernel, tool string) (Finding, error) {
	f := Finding{Device: v.Device, Type: v.Type, Tool: strings.Fields(tool)[0]}
	for try := range 2 {
		code, output, err := s.tool(ctx, tool, kernel)
		if err != nil {
			return f, err
		}
		f.Checked, f.Clean, f.Detail = code != 127, code == 0, ""
		if !f.Clean {
			f.Detail = clean(strings.TrimSpace(output))
		}
		if !f.Checked {
			f.Detail = "the appliance has no " + f.Tool
		}
		journal := strings.Contains(output, "skipping journal recovery") || v.Type == "xfs" && code == 2
		if !journal || f.Clean {
			return f, nil
		}
		f.Checked, f.Detail = false, "its journal is to be replayed first"
		if !s.o.ReadOnly || try > 0 {
			return f, nil
		}
		if _, err := s.call(ctx, "mount", v.Device, "/"); err != nil {
			if errors.Is(err, guest.ErrAppliance) {
				return f, err
			}
			f.Checked, f.Detail = true, "its journal cannot be replayed: "+err.Error()
			return f, nil
		}
		if err := s.unmount(ctx); err != nil {
			return f, err
		}
	}
	return f, nil
}

// tool runs a tool of the appliance on a volume and returns its status and the end of its output.
func (s *Session) tool(ctx context.Context, tool, device string) (int, string, error) {
	if strings.ContainsAny(device, "'\n\x00") {
		return 0, "", fmt.Errorf("guestfs: %q is no device", device)
	}
	line, err := command("debug", "sh", fmt.Sprintf("o=$(%s '%s' 2>&1 </dev/null); echo $?; echo \"$o\" | tail -c %d", tool, device, maxDetail))
	if err != nil {
		return 0, "", err
	}
	out, err := s.f.do(ctx, s.alive("checking "+device), line)
	if err != nil {
		return 0, "", err
	}
	first, rest, _ := strings.Cut(string(out), "\n")
	code, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0, "", fmt.Errorf("guestfs: %s on %s ended with the status %.40q", tool, device, first)
	}
	return code, rest, nil
}
