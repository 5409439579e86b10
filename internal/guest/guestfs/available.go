package guestfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"hyper2kvm/internal/guest"
)

// Available says which libguestfs is on this host, or what is missing for an appliance (guest.ErrUnavailable). It starts none.
func Available(ctx context.Context) (version string, err error) {
	return host{root: "/", look: exec.LookPath, getenv: os.Getenv, version: programVersion, open: os.Open}.available(ctx)
}

// host is where Available looks.
type host struct {
	root    string
	look    func(string) (string, error)
	getenv  func(string) string
	version func(ctx context.Context, program string) (string, error)
	open    func(string) (*os.File, error)
}

func (h host) available(ctx context.Context) (string, error) {
	program, err := h.look("guestfish")
	if err != nil {
		return "", fmt.Errorf("%w: guestfish is not in PATH: install libguestfs-tools (RHEL, SUSE: guestfs-tools)", guest.ErrUnavailable)
	}
	version, err := h.version(ctx, program)
	if err != nil {
		return "", fmt.Errorf("%w: %s: %w", guest.ErrUnavailable, program, err)
	}
	if err := h.emulator(); err != nil {
		return "", err
	}
	return version, h.kernel()
}

// emulators are the names of qemu by architecture.
var emulators = map[string]string{
	"amd64": "qemu-system-x86_64", "arm64": "qemu-system-aarch64", "ppc64le": "qemu-system-ppc64", "s390x": "qemu-system-s390x",
	"riscv64": "qemu-system-riscv64",
}

// emulator looks for qemu where libguestfs does.
func (h host) emulator() error {
	if h.getenv("LIBGUESTFS_HV") != "" {
		return nil
	}
	name := emulators[runtime.GOARCH]
	for _, n := range []string{name, "qemu-kvm", "kvm"} {
		if _, err := h.look(n); err == nil {
			return nil
		}
	}
	if _, err := os.Stat(filepath.Join(h.root, "usr/libexec/qemu-kvm")); err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s is not in PATH: install qemu-system-x86 (RHEL: qemu-kvm)", guest.ErrUnavailable, name)
}

// kernel looks for one that the appliance can be made of: Debian and its kin keep theirs readable by root only.
func (h host) kernel() error {
	for _, fixed := range []string{"LIBGUESTFS_PATH", "SUPERMIN_KERNEL"} {
		if h.getenv(fixed) != "" {
			return nil
		}
	}
	var unreadable string
	for _, pattern := range []string{"boot/vmlinu[xz]-*", "boot/Image-*", "lib/modules/*/vmlinuz"} {
		names, err := filepath.Glob(filepath.Join(h.root, pattern))
		if err != nil {
			return err
		}
		slices.Sort(names)
		for _, name := range names {
			f, err := h.open(name)
			if err == nil {
				return f.Close()
			}
			if errors.Is(err, fs.ErrPermission) {
				unreadable = name
			}
		}
	}
	if unreadable != "" {
		return fmt.Errorf("%w: %s is not readable: run `chmod 0644 %[2]s`; on Debian and Ubuntu `dpkg-statoverride --update --add root root 0644 %[2]s`, which lasts",
			guest.ErrUnavailable, unreadable)
	}
	return fmt.Errorf("%w: there is no kernel in /boot for the appliance: install one (Debian: linux-image-cloud-amd64, RHEL: kernel-core)",
		guest.ErrUnavailable)
}

// programVersion asks guestfish: "guestfish 1.48.6".
func programVersion(ctx context.Context, program string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	name, version, ok := strings.Cut(strings.TrimSpace(string(line)), " ")
	if !ok || name != "guestfish" {
		return "", fmt.Errorf("--version says %.100q", line)
	}
	return version, nil
}
