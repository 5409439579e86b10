package convert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/machine/ova"
	"hyper2kvm/internal/machine/ovf"
	"hyper2kvm/internal/machine/vmx"
	"hyper2kvm/internal/manifest"
)

// ova takes the machine out of an archive; its disks are read where they stand in it.
func (g *gatherer) ova(f disk.File) error {
	archive, err := ova.Open(f, f.Size())
	if err != nil {
		return err
	}
	name, text, err := archive.OVF()
	if err != nil {
		return err
	}
	pkg, err := ovf.Parse(bytes.NewReader(text))
	if err != nil {
		return err
	}
	for _, w := range archive.Warnings() {
		g.warn(manifest.CodeMachineAssumed, "%s", w)
	}
	n, err := archive.ChecksumBytes()
	if err != nil {
		return err
	}
	if n > 0 {
		g.opened.verify = append(g.opened.verify, checksum{name: f.Name(), bytes: n, verify: func(ctx context.Context, progress func(done, total int64)) error {
			return archive.VerifyChecksums(ctx, func(done int64) { progress(done, n) })
		}})
	}
	return g.system(pkg, place{open: memberOpener(archive, f, path.Dir(name))})
}

// memberOpener opens the members of an archive, by their names as seen from the descriptor's directory in it.
func memberOpener(archive *ova.Archive, f disk.File, dir string) disk.Opener {
	members := map[string]ova.Member{}
	for _, m := range archive.Members() {
		members[m.Name] = m
	}
	return func(name string) (disk.File, error) {
		clean, err := machine.RelativeName(name)
		if err != nil {
			return nil, &disk.Error{Op: "open", File: machine.Quote(name), Off: -1, Kind: disk.ErrOutside, Detail: "only members of the archive are opened"}
		}
		m, ok := members[path.Join(dir, clean)]
		if !ok {
			return nil, &disk.Error{Op: "open", File: machine.Quote(name), Off: -1, Kind: disk.ErrMissing, Detail: "the archive has no such member"}
		}
		return disk.SectionFile(m.Name, f, m.Off, m.Size, nil), nil
	}
}

// ovf takes the machine out of a descriptor whose disks stand beside it.
func (g *gatherer) ovf(f disk.File, name string) error {
	pkg, err := ovf.Parse(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return err
	}
	at, err := g.beside(name)
	if err != nil {
		return err
	}
	if err := g.packageChecksums(path.Base(name), at); err != nil {
		return err
	}
	return g.system(pkg, at)
}

// packageChecksums queues the digests of the .mf beside an OVF descriptor, if there is one.
func (g *gatherer) packageChecksums(descriptor string, at place) error {
	name := strings.TrimSuffix(descriptor, path.Ext(descriptor)) + ".mf"
	f, err := at.open(name)
	if errors.Is(err, disk.ErrMissing) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	mf, err := ovf.ParseManifest(io.NewSectionReader(f, 0, f.Size()))
	if err != nil {
		return err
	}
	for _, d := range mf {
		member, err := at.open(d.File)
		if errors.Is(err, disk.ErrMissing) {
			g.warn(manifest.CodeMachineMember, "%s lists %s, which is not there", name, machine.Quote(d.File))
			continue
		}
		if err != nil {
			return err
		}
		g.opened.files = append(g.opened.files, member)
		g.opened.verify = append(g.opened.verify, newManifestDigest(member, d))
	}
	return nil
}

// system picks the one virtual system that the job means: the only one, or the one that has the job's name.
func (g *gatherer) system(pkg *ovf.Package, at place) error {
	for _, w := range pkg.Warnings {
		g.warn(manifest.CodeMachineAssumed, "%s", w)
	}
	if len(pkg.Systems) == 1 {
		return g.describedDisks(pkg.Systems[0], at)
	}
	var names []string
	var found []machine.Machine
	for _, m := range pkg.Systems {
		names = append(names, machine.Quote(m.Name))
		if m.Name == g.req.Job.Name || m.ID == g.req.Job.Name {
			found = append(found, m)
		}
	}
	if len(found) == 1 {
		return g.describedDisks(found[0], at)
	}
	return coded(manifest.CodeMachineSeveral, "write a manifest for each that names the package as its source and the system as its name",
		fmt.Errorf("the package holds %d systems (%s), and the name of the job, %s, picks none of them", len(pkg.Systems), strings.Join(names, ", "), machine.Quote(g.req.Job.Name)))
}

// vmx takes the machine out of a VMware configuration whose disks stand beside it.
func (g *gatherer) vmx(f disk.File, name string) error {
	m, err := parseVMX(f)
	if err != nil {
		return err
	}
	at, err := g.beside(name)
	if err != nil {
		return err
	}
	return g.describedDisks(*m, at)
}

// parseVMX reads a VMX file whole, within its limit.
func parseVMX(f disk.File) (*machine.Machine, error) {
	b := make([]byte, min(f.Size(), vmx.MaxBytes+1))
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, f.Size()), b); err != nil {
		return nil, fmt.Errorf("read %s: %w", machine.Quote(f.Name()), err)
	}
	return vmx.Parse(b)
}
