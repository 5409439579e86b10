package linux

import (
	"context"
	"regexp"
	"strings"

	"hyper2kvm/internal/guest"
)

// releaseFile is a file that older systems have in the place of os-release.
type releaseFile struct {
	name string
	read func(system *guest.System, content []byte)
}

// releaseFiles are in the order in which they are believed: those of derived distributions before those of what they derive from.
func releaseFiles() []releaseFile {
	return []releaseFile{
		{"/etc/photon-release", plainRelease("photon", "VMware Photon OS")},
		{"/etc/oracle-release", sentenceRelease},
		{"/etc/SuSE-release", suseRelease},
		{"/etc/redhat-release", sentenceRelease},
		{"/etc/system-release", sentenceRelease},
		{"/etc/alpine-release", plainRelease("alpine", "Alpine Linux")},
		{"/etc/arch-release", plainRelease("arch", "Arch Linux")},
		{"/etc/gentoo-release", plainRelease("gentoo", "Gentoo")},
		{"/etc/lsb-release", lsbRelease},
		{"/etc/debian_version", plainRelease("debian", "Debian GNU/Linux")},
	}
}

// inspectRelease fills what the system is called.
func inspectRelease(ctx context.Context, tree guest.FS, system *guest.System) error {
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		b, ok, err := lookFile(ctx, tree, name)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		vars := parseShellVars(b)
		get := func(key string) string { v, _ := vars.Get(key); return fact(v) }
		system.Distro, system.Like, system.Version, system.Name = get("ID"), get("ID_LIKE"), get("VERSION_ID"), get("PRETTY_NAME")
		if system.Name == "" {
			system.Name = strings.TrimSpace(get("NAME") + " " + get("VERSION"))
		}
		if system.Distro != "" {
			return nil
		}
	}
	for _, f := range releaseFiles() {
		b, ok, err := lookFile(ctx, tree, f.name)
		if err != nil {
			return err
		}
		if ok {
			f.read(system, b)
		}
		if system.Distro != "" {
			return nil
		}
	}
	return nil
}

var releaseNumber = regexp.MustCompile(`\d+(\.\d+)*`)

// plainRelease reads a file that holds a version, with or without a name, or nothing.
func plainRelease(id, name string) func(*guest.System, []byte) {
	return func(system *guest.System, content []byte) {
		line := fact(firstLine(content))
		system.Distro = id
		if system.Version = releaseNumber.FindString(line); system.Version == "" {
			system.Version = line // wheezy/sid
		}
		system.Name = strings.TrimSpace(name + " " + system.Version)
	}
}

// sentences are the names in the sentence of redhat-release and its like, the more telling first.
var sentences = []struct{ part, id, like string }{
	{"red hat enterprise", "rhel", "fedora"},
	{"centos", "centos", "rhel fedora"},
	{"oracle", "ol", "rhel fedora"},
	{"enterprise linux enterprise linux", "ol", "rhel fedora"},
	{"scientific", "scientific", "rhel fedora"},
	{"amazon", "amzn", "rhel fedora"},
	{"fedora", "fedora", ""},
	{"virtuozzo", "virtuozzo", "rhel fedora"},
	{"xenserver", "xenserver", "rhel fedora"},
	{"asianux", "asianux", "rhel fedora"},
	{"alt ", "altlinux", ""},
	{"red hat linux", "redhat", ""},
}

// sentenceRelease reads "CentOS release 6.10 (Final)".
func sentenceRelease(system *guest.System, content []byte) {
	line := fact(firstLine(content))
	if line == "" {
		return
	}
	system.Name, system.Distro, system.Like = line, "redhat-based", "rhel fedora"
	for _, s := range sentences {
		if strings.Contains(strings.ToLower(line), s.part) {
			system.Distro, system.Like = s.id, s.like
			break
		}
	}
	system.Version = releaseNumber.FindString(line)
}

// suseRelease reads a name and the lines VERSION = 11, PATCHLEVEL = 4.
func suseRelease(system *guest.System, content []byte) {
	line := fact(firstLine(content))
	system.Name, system.Distro, system.Like = line, "suse-based", "suse"
	switch lower := strings.ToLower(line); {
	case strings.Contains(lower, "opensuse"):
		system.Distro = "opensuse"
	case strings.Contains(lower, "desktop"):
		system.Distro = "sled"
	case strings.Contains(lower, "enterprise"):
		system.Distro = "sles"
	}
	for l := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(l, "=")
		switch value = fact(value); strings.TrimSpace(key) {
		case "VERSION":
			system.Version = value
		case "PATCHLEVEL":
			if value != "" && value != "0" {
				system.Version += "." + value
			}
		}
	}
}

// lsbRelease reads what Ubuntu had before os-release.
func lsbRelease(system *guest.System, content []byte) {
	vars := parseShellVars(content)
	get := func(key string) string { v, _ := vars.Get(key); return fact(v) }
	system.Distro, system.Version, system.Name = strings.ToLower(get("DISTRIB_ID")), get("DISTRIB_RELEASE"), get("DISTRIB_DESCRIPTION")
	if system.Distro == "ubuntu" {
		system.Like = "debian"
	}
}
