package linux

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// programs are what every system has one of; the header of the first ELF file among them tells the architecture.
var programs = []string{
	"/bin/sh", "/sbin/init", "/bin/bash", "/bin/busybox", "/usr/bin/bash", "/usr/bin/sh", "/usr/bin/env", "/lib/systemd/systemd",
	"/usr/lib/systemd/systemd", "/sbin/ldconfig", "/usr/bin/perl",
}

// elfMachines are values of e_machine in "ELF-64 Object File Format" and the registry of the generic ABI. 21 is told apart by its
// byte order.
var elfMachines = map[uint16]string{
	3: "i386", 20: "ppc", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64",
}

const (
	elfHeader  = 20 // up to and with e_machine
	elfPPC64   = 21
	elfDataLSB = 1
)

// inspectArch fills the architecture.
func inspectArch(ctx context.Context, tree guest.FS, system *guest.System) error {
	for _, name := range programs {
		info, ok, err := lookStat(ctx, tree, name)
		if err != nil {
			return err
		}
		if !ok || !info.Mode.IsRegular() || info.Size < elfHeader {
			continue
		}
		arch, err := elfArch(ctx, tree, name)
		if err != nil {
			return err
		}
		if arch != "" {
			system.Arch = arch
			return nil
		}
	}
	return nil
}

func elfArch(ctx context.Context, tree guest.FS, name string) (string, error) {
	f, err := tree.Open(ctx, name)
	if err != nil {
		if absent(err) {
			return "", nil
		}
		return "", err
	}
	defer f.Close()
	var h [elfHeader]byte
	if _, err := f.ReadAt(h[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if string(h[:4]) != "\x7fELF" {
		return "", nil
	}
	var order binary.ByteOrder = binary.BigEndian
	if h[5] == elfDataLSB {
		order = binary.LittleEndian
	}
	machine := order.Uint16(h[18:])
	if machine == elfPPC64 {
		if h[5] == elfDataLSB {
			return "ppc64le", nil
		}
		return "ppc64", nil
	}
	return elfMachines[machine], nil
}

// inspectHost fills the host name.
func inspectHost(ctx context.Context, tree guest.FS, system *guest.System) error {
	for _, name := range []string{"/etc/hostname", "/etc/HOSTNAME"} {
		b, ok, err := lookFile(ctx, tree, name)
		if err != nil {
			return err
		}
		if line := fact(firstLine(b)); ok && line != "" {
			system.Host = line
			return nil
		}
	}
	b, _, err := lookFile(ctx, tree, "/etc/sysconfig/network")
	if v, ok := parseShellVars(b).Get("HOSTNAME"); ok {
		system.Host = fact(v)
	}
	return err
}

// inspectInit fills the init system, by what /sbin/init is.
func inspectInit(ctx context.Context, tree guest.FS, system *guest.System) error {
	target, err := guest.Resolve(ctx, tree, "/sbin/init")
	if err != nil && !absent(err) {
		return err
	}
	switch path.Base(target) {
	case "systemd":
		system.Init = "systemd"
		return nil
	case "openrc-init":
		system.Init = "openrc"
		return nil
	case "runit-init":
		system.Init = "runit"
		return nil
	}
	var found error
	there := func(names ...string) bool {
		for _, n := range names {
			_, ok, err := lookStat(ctx, tree, n)
			if found = errors.Join(found, err); ok {
				return true
			}
		}
		return false
	}
	switch init := there("/sbin/init", "/usr/sbin/init"); {
	case there("/sbin/openrc", "/usr/sbin/openrc"), there("/etc/runlevels") && there("/sbin/rc"):
		system.Init = "openrc"
	case path.Base(target) == "busybox":
		system.Init = "busybox"
	case init && there("/etc/init") && there("/sbin/initctl"):
		system.Init = "upstart"
	case init && there("/etc/inittab", "/etc/init.d/rcS", "/etc/rc.d/rc.sysinit"):
		system.Init = "sysvinit"
	case there("/lib/systemd/systemd", "/usr/lib/systemd/systemd"):
		system.Init = "systemd"
	}
	return found
}

// packageDatabases are told by a file that has content.
var packageDatabases = []struct{ kind, file string }{
	{"dpkg", "/var/lib/dpkg/status"},
	{"rpm", "/var/lib/rpm/rpmdb.sqlite"},
	{"rpm", "/usr/lib/sysimage/rpm/rpmdb.sqlite"},
	{"rpm", "/var/lib/rpm/Packages"},
	{"rpm", "/var/lib/rpm/Packages.db"},
	{"rpm", "/usr/lib/sysimage/rpm/Packages.db"},
	{"rpm", "/usr/lib/sysimage/rpm/Packages"},
	{"apk", "/lib/apk/db/installed"},
	{"apk", "/usr/lib/apk/db/installed"},
	{"pacman", "/var/lib/pacman/local/ALPM_DB_VERSION"},
}

// inspectPackages fills the package database. A file without content is one that a foreign package manager left.
func inspectPackages(ctx context.Context, tree guest.FS, system *guest.System) error {
	for _, d := range packageDatabases {
		info, ok, err := lookStat(ctx, tree, d.file)
		if err != nil {
			return err
		}
		if ok && info.Size > 0 {
			system.Packages = d.kind
			return nil
		}
	}
	return nil
}

// inspectSELinux fills the mode that the guest starts with.
func inspectSELinux(ctx context.Context, tree guest.FS, system *guest.System) error {
	b, _, err := lookFile(ctx, tree, "/etc/selinux/config")
	mode, _ := parseShellVars(b).Get("SELINUX")
	switch mode = strings.ToLower(strings.TrimSpace(mode)); mode {
	case "enforcing", "permissive", "disabled":
		system.SELinux = mode
	}
	return err
}
