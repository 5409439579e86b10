package guestfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

func TestAvailable(t *testing.T) {
	missing := errors.New("not found")
	for name, c := range map[string]struct {
		kernel fileKind
		have   string
		env    string
		want   string // in the error; "" = available
	}{
		"all":              {kernel: readable, have: "guestfish qemu-system-x86_64 qemu-system-aarch64"},
		"RHEL":             {kernel: readable, have: "guestfish qemu-kvm"},
		"no guestfish":     {kernel: readable, want: "guestfish is not in PATH"},
		"no qemu":          {kernel: readable, have: "guestfish", want: "qemu-system"},
		"no kernel":        {have: "guestfish qemu-kvm", want: "no kernel in /boot"},
		"fixed appliance":  {have: "guestfish qemu-kvm", env: "LIBGUESTFS_PATH"},
		"unreadable":       {kernel: unreadable, have: "guestfish qemu-kvm", want: "dpkg-statoverride --update --add root root 0644"},
		"hypervisor named": {kernel: readable, have: "guestfish", env: "LIBGUESTFS_HV"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			c.kernel.put(t, filepath.Join(root, "boot/vmlinuz-6.1"))
			h := host{
				root: root,
				look: func(p string) (string, error) {
					if strings.Contains(" "+c.have+" ", " "+p+" ") {
						return "/usr/bin/" + p, nil
					}
					return "", missing
				},
				getenv:  func(n string) string { return map[string]string{c.env: "x"}[n] },
				version: func(context.Context, string) (string, error) { return "1.48.6", nil },
				open:    c.kernel.open,
			}
			version, err := h.available(t.Context())
			if c.want == "" {
				if err != nil || version != "1.48.6" {
					t.Errorf("%q %v", version, err)
				}
				return
			}
			if !errors.Is(err, guest.ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

type fileKind int

const (
	none fileKind = iota
	readable
	unreadable
)

func (k fileKind) put(t *testing.T, name string) {
	t.Helper()
	if k == none {
		return
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte("kernel"), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// open refuses as the kernel does for whoever is not root.
func (k fileKind) open(name string) (*os.File, error) {
	if k == unreadable {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return os.Open(name)
}
