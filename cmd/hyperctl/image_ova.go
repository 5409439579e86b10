package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/machine/ova"
	"hyper2kvm/internal/machine/ovf"
)

// tarFormat is what the content of an OVA is probed as.
const tarFormat = "tar"

// isArchive says whether the content of a file is a tar archive, which an OVA is.
func isArchive(f disk.File) bool {
	name, _ := formats.Probe(f) // the error is that this is no disk
	return name == tarFormat
}

// appliance is an OVA whose descriptor was read. Its disks are read where they stand in the file.
type appliance struct {
	file    disk.File // not owned
	archive *ova.Archive
	dir     string // of the descriptor in the archive
	disks   []machine.Disk
}

// openAppliance reads the description in an OVA: the disks of all its systems, each once, in the order in which guests see them.
func openAppliance(f disk.File) (*appliance, error) {
	archive, err := ova.Open(f, f.Size())
	if err != nil {
		return nil, err
	}
	name, text, err := archive.OVF()
	if err != nil {
		return nil, err
	}
	pkg, err := ovf.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	a := &appliance{file: f, archive: archive, dir: path.Dir(name)}
	seen := map[string]bool{}
	for _, vm := range pkg.Systems {
		for _, d := range vm.Disks {
			if key := d.ID + "\x00" + d.File; !seen[key] {
				seen[key] = true
				a.disks = append(a.disks, d)
			}
		}
	}
	return a, nil
}

// member opens a file of the archive by its name as seen from the descriptor. It is a disk.Opener.
func (a *appliance) member(name string) (disk.File, error) {
	clean, err := machine.RelativeName(name)
	if err != nil {
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrOutside, Detail: "only members of the archive are opened"}
	}
	clean = path.Join(a.dir, clean)
	for _, m := range a.archive.Members() {
		if m.Name == clean {
			return disk.SectionFile(m.Name, a.file, m.Off, m.Size, nil), nil
		}
	}
	return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrMissing, Detail: "the archive has no such member"}
}

// diskFile opens the file of a disk in one piece.
func (a *appliance) diskFile(d machine.Disk) (disk.File, error) {
	switch {
	case d.Blank():
		return nil, &disk.Error{Op: "open", File: d.ID, Off: -1, Kind: disk.ErrUnsupported,
			Detail: fmt.Sprintf("the disk is created empty with %d bytes; it has no content to convert", d.Capacity)}
	case d.Parent != "":
		return nil, &disk.Error{Op: "open", File: d.File, Off: -1, Kind: disk.ErrUnsupported,
			Detail: "it is stored as the difference to another disk of the package, which this version does not read"}
	case d.ChunkBytes > 0:
		return packed.Chunked(d.File, d.FileBytes, d.ChunkBytes, a.member)
	}
	return a.member(d.File)
}

// choose returns the disk with this number, from 1 on; 0 is the only one.
func (a *appliance) choose(source string, number int) (machine.Disk, error) {
	switch {
	case len(a.disks) == 0:
		return machine.Disk{}, &failure{exit: exitError, what: "cannot read " + source, why: "the VM that it describes has no disk"}
	case number > len(a.disks):
		return machine.Disk{}, usagef("--disk %d: %s has %s:\n%s", number, source, count(len(a.disks), "disk", "disks"), a.listed())
	case number == 0 && len(a.disks) > 1:
		return machine.Disk{}, &failure{exit: exitUsage, what: fmt.Sprintf("%s holds %d disks, and one is converted at a time", source, len(a.disks)),
			why: "these are:\n" + a.listed(), try: "add --disk 1, or hyperctl manifest submit " + quoteArg(source) + " --wait for the whole VM"}
	}
	return a.disks[max(number, 1)-1], nil
}

// listed is a line for each disk.
func (a *appliance) listed() string {
	var lines []string
	for i, d := range a.disks {
		lines = append(lines, fmt.Sprintf("  --disk %d  %s", i+1, describedDisk(d)))
	}
	return strings.Join(lines, "\n")
}

// describedDisk is what the description says about a disk, in a line.
func describedDisk(d machine.Disk) string {
	text := cleanLine(d.File)
	if d.Blank() {
		text = cleanLine(d.ID) + ", created empty"
	}
	if d.Capacity > 0 {
		text += ", " + bytesText(d.Capacity)
	}
	if d.Bus != "" {
		text += fmt.Sprintf(", %s %d:%d", d.Bus, d.Controller, d.Unit)
	}
	return text
}

// openFromOVA opens a disk of the OVA in f, which it owns, and unpacks it if it is compressed. With --verify the file is held against the
// package's manifest, too.
func (o convertOptions) openFromOVA(ctx context.Context, con *console, f disk.File) (_ disk.Image, err error) {
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	a, err := openAppliance(f)
	if err != nil {
		return nil, archiveFailure(o.source, err)
	}
	d, err := a.choose(o.source, o.disk)
	if err != nil {
		return nil, err
	}
	member, err := a.diskFile(d)
	if err != nil {
		return nil, archiveFailure(o.source, err)
	}
	if o.verify {
		if err := a.verify(member); err != nil {
			return nil, archiveFailure(o.source, err)
		}
	}
	plain := member
	if _, ok := packed.Detect(member); ok {
		plain, err = o.unpack(ctx, con, member)
		if err != nil {
			return nil, err
		}
	}
	img, err := formats.Open(ctx, plain, formats.OpenOptions{Format: o.sourceFormat, Open: a.member})
	if err != nil {
		return nil, archiveFailure(o.source, err)
	}
	return archived{img, f}, nil
}

// verify holds a member against the manifest of the package, if that lists it.
func (a *appliance) verify(f disk.File) error {
	mf, err := a.archive.Manifest()
	if err != nil {
		return err
	}
	r, err := a.archive.Member(f.Name())
	if errors.Is(err, machine.ErrMissing) { // in pieces
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range []string{f.Name(), path.Base(f.Name())} {
		if d, ok := mf.Digest(name); ok {
			return d.Verify(r)
		}
	}
	return nil
}

// archived is an image in an archive. Closing it closes the archive.
type archived struct {
	disk.Image
	file disk.File
}

func (a archived) Close() error { return errors.Join(a.Image.Close(), a.file.Close()) }

// archiveFailure is an error in reading an OVA; its message says what a member is named.
func archiveFailure(path string, err error) error {
	err = imageFailure(path, err)
	var f *failure
	if errors.As(err, &f) && f.try != "" && errors.Is(err, disk.ErrUnsupported) {
		f.try = "hyperctl manifest submit " + quoteArg(path) + " --wait: the daemon converts the whole VM"
	}
	return err
}
