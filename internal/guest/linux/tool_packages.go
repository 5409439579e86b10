package linux

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// packageDB is what a guest's package database says, read as a file.
type packageDB struct {
	manager   string // dpkg, apk, pacman, rpm; "" = none is known
	program   string // what removes packages; "" = it is not there
	installed map[string]installedPackage
}

// installedPackage is a package that is installed.
type installedPackage struct {
	depends  [][]string // each must be there, by one of its names
	provides []string
}

// The databases that are text; apk's place of old and of 2025.
const (
	dpkgStatus = "/var/lib/dpkg/status"
	apkOld     = "/lib/apk/db/installed"
	apkNew     = "/usr/lib/apk/db/installed"
	pacmanDB   = "/var/lib/pacman/local"
)

// maxPackageDB bounds a database: that of a desktop with everything on it has 15 MB.
const maxPackageDB = 128 << 20

// readPackages reads the database of the guest's package manager. rpm's is no text: its packages are found by their files.
func readPackages(ctx context.Context, tree guest.FS) (packageDB, error) {
	db := packageDB{installed: map[string]installedPackage{}}
	type source struct {
		manager, file string
		parse         func(r io.Reader, into map[string]installedPackage) error
		programs      []string
	}
	for _, s := range []source{
		{"dpkg", dpkgStatus, parseDpkg, []string{"/usr/bin/dpkg", "/bin/dpkg"}},
		{"apk", apkOld, parseApk, []string{"/sbin/apk", "/usr/sbin/apk", "/usr/bin/apk"}},
		{"apk", apkNew, parseApk, []string{"/sbin/apk", "/usr/sbin/apk", "/usr/bin/apk"}},
	} {
		err := readDatabase(ctx, tree, s.file, func(r io.Reader) error { return s.parse(r, db.installed) })
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return db, fmt.Errorf("%s: %w", s.file, err)
		}
		if len(db.installed) == 0 { // a foreign package manager: Fedora's package of dpkg makes an empty file
			continue
		}
		db.manager = s.manager
		db.program, err = firstProgram(ctx, tree, s.programs...)
		return db, err
	}
	dirs, err := netFiles(ctx, tree, pacmanDB, func(n string) bool { return strings.Count(n, "-") >= 2 })
	if err != nil {
		return db, err
	}
	if len(dirs) > 0 {
		for _, d := range dirs {
			if name := pacmanName(path.Base(d)); packageName.MatchString(name) {
				db.installed[name] = installedPackage{}
			}
		}
		db.manager = "pacman"
		db.program, err = firstProgram(ctx, tree, "/usr/bin/pacman")
		return db, err
	}
	rpm, err := netAnyExists(ctx, tree, "/var/lib/rpm/Packages", "/var/lib/rpm/Packages.db", "/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/Packages",
		"/usr/lib/sysimage/rpm/Packages.db", "/usr/lib/sysimage/rpm/rpmdb.sqlite")
	if !rpm || err != nil {
		return db, err
	}
	db.manager = "rpm"
	db.program, err = firstProgram(ctx, tree, "/usr/bin/rpm", "/bin/rpm")
	return db, err
}

// firstProgram returns the first of the programs that is there.
func firstProgram(ctx context.Context, tree guest.FS, names ...string) (string, error) {
	for _, n := range names {
		if ok, err := netExists(ctx, tree, n); ok || err != nil {
			return n, err
		}
	}
	return "", nil
}

func readDatabase(ctx context.Context, tree guest.FS, name string, parse func(io.Reader) error) error {
	c, err := tree.Open(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	if c.Size() > maxPackageDB {
		return fmt.Errorf("%w: %d bytes, at most %d", guest.ErrLimit, c.Size(), maxPackageDB)
	}
	return parse(io.NewSectionReader(c, 0, c.Size()))
}

// packageName is what package managers allow. Names come from the guest, and go into commands and messages.
var packageName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9.+_-]{0,200}$`)

// eachStanza calls each with the fields of every stanza: lines "Key: value", lines that begin with a blank continue the one before,
// an empty line ends it.
func eachStanza(r io.Reader, each func(fields map[string]string)) error {
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20) // the longest lines are lists of dependencies, some KiB
	fields, last := map[string]string{}, ""
	for s.Scan() {
		line := s.Text()
		switch {
		case line == "":
			each(fields)
			fields, last = map[string]string{}, ""
		case line[0] == ' ' || line[0] == '\t':
			if last == "Depends" || last == "Pre-Depends" || last == "Provides" { // descriptions are not kept
				fields[last] += line
			}
		default:
			key, value, _ := strings.Cut(line, ":")
			last = key
			fields[key] = strings.TrimSpace(value)
		}
	}
	each(fields)
	return s.Err()
}

// parseDpkg reads dpkg's status file, see deb-control(5).
func parseDpkg(r io.Reader, into map[string]installedPackage) error {
	return eachStanza(r, func(f map[string]string) {
		state := strings.Fields(f["Status"])
		if !packageName.MatchString(f["Package"]) || len(state) != 3 || state[2] == "not-installed" || state[2] == "config-files" {
			return
		}
		p := into[f["Package"]] // of several architectures
		for _, list := range []string{f["Depends"], f["Pre-Depends"]} {
			for need := range strings.SplitSeq(list, ",") {
				var names []string
				for n := range strings.SplitSeq(need, "|") {
					if n = relationName(n); n != "" {
						names = append(names, n)
					}
				}
				if len(names) > 0 {
					p.depends = append(p.depends, names)
				}
			}
		}
		for n := range strings.SplitSeq(f["Provides"], ",") {
			if n = relationName(n); n != "" {
				p.provides = append(p.provides, n)
			}
		}
		into[f["Package"]] = p
	})
}

// relationName takes version and architecture off: "libc6:amd64 (>= 2.36)" is libc6.
func relationName(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), " ")
	s, _, _ = strings.Cut(s, "(")
	s, _, _ = strings.Cut(s, ":")
	return s
}

// parseApk reads apk's installed database: one letter for each field.
func parseApk(r io.Reader, into map[string]installedPackage) error {
	return eachStanza(r, func(f map[string]string) {
		if !packageName.MatchString(f["P"]) {
			return
		}
		var p installedPackage
		cut := func(s string) string { name, _, _ := strings.Cut(s, "="); return strings.TrimRight(name, "<>~") }
		for n := range strings.FieldsSeq(f["D"]) {
			if n = cut(n); n != "" && n[0] != '!' {
				name, _, _ := strings.Cut(n, ">")
				name, _, _ = strings.Cut(name, "<")
				p.depends = append(p.depends, []string{name})
			}
		}
		for n := range strings.FieldsSeq(f["p"]) {
			p.provides = append(p.provides, cut(n))
		}
		into[f["P"]] = p
	})
}

// pacmanName takes version and release off the name of a package's directory.
func pacmanName(dir string) string {
	for range 2 {
		dir = dir[:max(strings.LastIndexByte(dir, '-'), 0)]
	}
	return dir
}

// dependents returns the installed packages that need one of those and would not have what they need without them.
func (db packageDB) dependents(removed []string) []string {
	left := map[string]bool{}
	was := map[string]bool{}
	for name, p := range db.installed {
		for _, n := range append([]string{name}, p.provides...) {
			was[n] = true
			if !slices.Contains(removed, name) {
				left[n] = true
			}
		}
	}
	var list []string
	for name, p := range db.installed {
		if slices.Contains(removed, name) {
			continue
		}
		if slices.ContainsFunc(p.depends, func(names []string) bool {
			in := func(set map[string]bool) bool {
				return slices.ContainsFunc(names, func(n string) bool { return set[n] })
			}
			return in(was) && !in(left)
		}) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// removal returns the commands that remove packages, or why they cannot be removed.
func (db packageDB) removal(f toolsFound) (runs []guest.Change, blocked string) {
	if db.program == "" {
		return nil, "the guest has no package manager that could remove them"
	}
	if db.manager == "rpm" && slices.Contains(f.packages, vmwareOSP) {
		return nil, "they come from VMware's own repository, in packages that only rpm can name"
	}
	if needed := db.dependents(f.packages); len(needed) > 0 {
		return nil, strings.Join(needed[:min(len(needed), 5)], ", ") + " would go with them"
	}
	why := f.kind.title + " serve another hypervisor"
	run := func(prove func(context.Context, guest.FS) error, packages []string, args ...string) guest.Change {
		return guest.Change{Why: why, Run: &guest.Command{
			Args: append(append([]string{db.program}, args...), packages...), Env: []string{"DEBIAN_FRONTEND=noninteractive"}, Optional: true,
			Proof: strings.Join(packages, ", ") + " are not installed any more", Prove: prove,
		}}
	}
	switch db.manager {
	case "dpkg":
		runs = append(runs, run(notInstalled(f.packages), f.packages, "--purge"))
	case "apk":
		runs = append(runs, run(notInstalled(f.packages), f.packages, "del", "--no-network", "--no-progress"))
	case "pacman":
		runs = append(runs, run(notInstalled(f.packages), f.packages, "-R", "--noconfirm"))
	case "rpm":
		for _, p := range f.packages { // each alone: rpm removes none of several where one is not there under that name
			i := slices.IndexFunc(f.kind.rpm, func(t toolFile) bool { return t.pkg == p })
			runs = append(runs, run(gone(f.kind.rpm[i].file), []string{p}, "-e"))
		}
	}
	return runs, ""
}

// notInstalled proves by the database that packages are gone.
func notInstalled(packages []string) func(context.Context, guest.FS) error {
	return func(ctx context.Context, tree guest.FS) error {
		db, err := readPackages(ctx, tree)
		if err != nil {
			return err
		}
		for _, p := range packages {
			if _, ok := db.installed[p]; ok {
				return fmt.Errorf("%s %w", p, errStillInstalled)
			}
		}
		return nil
	}
}
