package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// Opened is everything that a job reads, open. Close it when the run is over.
type Opened struct {
	Machine  *machine.Machine // as described by OVF, VMX and manifest; never nil
	Sources  []Source         // in the VM's order
	Warnings []manifest.Warning

	described bool        // Machine comes from a description, not from the disks alone
	files     []disk.File // archives and what else stays open besides the images
	verify    []checksum  // what LOAD has to verify
	watch     watch       // the host files behind all of it

	below map[string]*os.File // directories of limited sources, by the name of the source
}

// Close releases every image and file.
func (o *Opened) Close() {
	for _, s := range o.Sources {
		s.Image.Close()
	}
	for _, f := range o.files {
		f.Close()
	}
	for _, dir := range o.below {
		dir.Close()
	}
}

// gatherer opens the sources of one job.
type gatherer struct {
	ctx    context.Context
	req    Request
	opened *Opened
	unpack func(ctx context.Context, f disk.File, method, name string) (disk.File, error) // nil in a dry run: nothing is written
}

// Gather finds out what the job's source and entry mean, by content, and opens it: a lone disk, an OVA in place, an OVF or a
// VMX with the disks beside it, a folder with one of these or with disks, or the disks that a manifest names. It reads headers,
// tables and descriptions, never content, and writes nothing: of a source that is compressed as a whole it says only that. The caller
// closes what it returns.
func Gather(ctx context.Context, req Request) (*Opened, Facts, error) {
	return gather(&gatherer{ctx: ctx, req: req})
}

func gather(g *gatherer) (*Opened, Facts, error) {
	g.opened = &Opened{Machine: &machine.Machine{}}
	if err := g.gather(); err != nil {
		g.opened.Close()
		return nil, Facts{}, err
	}
	return g.opened, g.opened.facts(), nil
}

func (g *gatherer) gather() error {
	disks := g.req.Job.Source.Disks
	var err error
	switch {
	case len(disks) > 1:
		err = g.namedDisks(disks)
	case len(disks) == 1:
		err = g.named(disks[0])
	case g.req.Entry != "":
		err = g.named(manifest.SourceDisk{Path: g.req.Entry})
	default:
		err = g.folder()
	}
	if err != nil {
		return err
	}
	g.opened.Machine = describe(*g.opened.Machine, g.req.Job)
	if len(g.opened.Sources) == 0 {
		return coded(manifest.CodeMachineNoDisk, "", fmt.Errorf("%s: there is no disk to convert", g.req.Job.Name))
	}
	return nil
}

// facts returns what NewPlan may know.
func (o *Opened) facts() Facts {
	f := Facts{}
	if o.described {
		f.Machine = o.Machine
	}
	for _, s := range o.Sources {
		f.Disks = append(f.Disks, s.Facts)
	}
	for _, c := range o.verify {
		f.Verify = append(f.Verify, c.name)
	}
	return f
}

func (g *gatherer) warn(code, format string, args ...any) {
	g.opened.Warnings = append(g.opened.Warnings, manifest.Warning{Code: code, Stage: StageLoad, Message: oneLine(fmt.Sprintf(format, args...))})
}

// named opens the one file that a job names, whatever it is.
func (g *gatherer) named(d manifest.SourceDisk) error {
	f, err := g.source(d.Path, d.Format)
	if err != nil {
		return err
	}
	k, err := probe(f)
	if err == nil {
		err = checkType(g.req.Job.Source.Type, k, d.Path)
	}
	if err != nil {
		f.Close()
		return err
	}
	if k == kindDisk {
		return g.lone(f, d)
	}
	g.stated(f, d)
	g.opened.files = append(g.opened.files, f)
	switch k {
	case kindOVA:
		return g.ova(f)
	case kindOVF:
		return g.ovf(f, d.Path)
	default:
		return g.vmx(f, d.Path)
	}
}

// checkType compares what the manifest says the source is with what it is; for disks the format is compared later.
func checkType(stated string, found kind, name string) error {
	isPackage := slices.Contains([]kind{kindOVA, kindOVF, kindVMX}, kind(stated))
	if stated == "" || kind(stated) == found || found == kindDisk && !isPackage {
		return nil
	}
	return mismatch("source %q is said to be of type %s, and its content is of type %s", name, stated, found)
}

func mismatch(format string, args ...any) error {
	return coded(manifest.CodeSourceMismatch, "", fmt.Errorf(format, args...))
}

// namedDisks opens the disks that a manifest lists. The one with the lowest boot order comes first; the others keep their
// order. An order that is not stated counts as 0: writers of the artifact manifest leave out exactly that number.
func (g *gatherer) namedDisks(disks []manifest.SourceDisk) error {
	order := func(d manifest.SourceDisk) int {
		if d.BootOrder == nil {
			return 0
		}
		return *d.BootOrder
	}
	disks = slices.Clone(disks)
	slices.SortStableFunc(disks, func(a, b manifest.SourceDisk) int { return cmp.Compare(order(a), order(b)) })
	for _, d := range disks {
		f, err := g.source(d.Path, d.Format)
		if err != nil {
			return err
		}
		k, err := probe(f)
		if err == nil && k != kindDisk {
			err = coded(manifest.CodeMachineSeveral, "name the package alone; it says itself which disks it has",
				fmt.Errorf("source %q is of type %s, and stands in a list of disks", d.Path, k))
		}
		if err != nil {
			f.Close()
			return err
		}
		if err := g.lone(f, d); err != nil {
			return err
		}
	}
	return nil
}

// lone adds an image that is a disk by itself, and takes over f.
func (g *gatherer) lone(f disk.File, d manifest.SourceDisk) error {
	g.stated(f, d)
	at, err := g.beside(d.Path)
	if err != nil {
		f.Close()
		return err
	}
	stated := cmp.Or(d.Format, g.req.Job.Source.Type)
	img, facts, err := openImage(g.ctx, f, d.Path, stated, at)
	if err != nil {
		return err
	}
	if d.Bytes != 0 && !facts.sealed() && d.Bytes != facts.FileBytes && d.Bytes != facts.VirtualSize {
		img.Close()
		return mismatch("source %q is said to have %d bytes; the file has %d, the disk in it %d", d.Path, d.Bytes, facts.FileBytes, facts.VirtualSize)
	}
	g.add(machine.Disk{ID: d.ID, File: d.Path, Capacity: facts.VirtualSize}, img, facts)
	return nil
}

// stated queues the checksum that the manifest states for a file.
func (g *gatherer) stated(f disk.File, d manifest.SourceDisk) {
	if d.SHA256 == "" {
		return
	}
	g.opened.verify = append(g.opened.verify, newSHA256(asStored(f), d))
}

// add appends a disk to the machine and its source to the list.
func (g *gatherer) add(d machine.Disk, img disk.Image, facts DiskFacts) {
	g.opened.Machine.Disks = append(g.opened.Machine.Disks, d)
	g.addSource(len(g.opened.Machine.Disks)-1, img, facts)
}

func (g *gatherer) addSource(index int, img disk.Image, facts DiskFacts) {
	g.opened.Sources = append(g.opened.Sources, Source{Name: facts.Name, Disk: index, Image: img, Info: formats.Describe(img), Facts: facts})
}

// describedDisks adds the disks of a machine that a description lists, in the machine's order. They stand where it does.
func (g *gatherer) describedDisks(m machine.Machine, at place) error {
	g.opened.Machine, g.opened.described = &m, true
	for i, d := range m.Disks {
		img, facts, err := g.describedDisk(d, at)
		if err != nil {
			return err
		}
		if facts.sealed() {
			g.addSource(i, img, facts)
			continue
		}
		if d.Capacity != 0 && d.Capacity != facts.VirtualSize {
			g.warn(manifest.CodeSourceMismatch, "the description says that disk %s has %d bytes, the image has %d; the image counts", d.File, d.Capacity, facts.VirtualSize)
		}
		m.Disks[i].Capacity = facts.VirtualSize
		g.addSource(i, img, facts)
	}
	return nil
}

func (g *gatherer) describedDisk(d machine.Disk, at place) (disk.Image, DiskFacts, error) {
	switch {
	case d.Blank() && (d.Capacity <= 0 || d.Capacity > disk.MaxSize):
		return nil, DiskFacts{}, fmt.Errorf("%w: blank disk %s has a capacity of %d bytes; needed are 1 to %d",
			machine.ErrDescriptor, machine.Quote(d.ID), d.Capacity, int64(disk.MaxSize))
	case d.Blank():
		return disk.EmptyImage(d.Capacity), DiskFacts{Format: "raw", Variant: "blank", VirtualSize: d.Capacity, Blank: true}, nil
	case d.Parent != "":
		return nil, DiskFacts{}, coded(manifest.CodeImageUnsupported, "export the VM again without snapshots",
			fmt.Errorf("disk %s is stored as the difference to another disk of the package, which this version does not read", machine.Quote(d.File)))
	}
	f, err := g.describedFile(d, at)
	if err != nil {
		return nil, DiskFacts{}, err
	}
	return openImage(g.ctx, f, d.File, "", at)
}

// describedFile opens the file of a disk that a description names, in one piece and plain, however it is stored.
func (g *gatherer) describedFile(d machine.Disk, at place) (disk.File, error) {
	var f disk.File
	var err error
	if d.ChunkBytes > 0 {
		f, err = packed.Chunked(d.File, d.FileBytes, d.ChunkBytes, at.open)
	} else {
		f, err = at.open(d.File)
	}
	if err != nil {
		if errors.Is(err, disk.ErrMissing) {
			err = coded(manifest.CodeSourceMissing, "", err)
		}
		return nil, fmt.Errorf("disk that the description names: %w", err)
	}
	if f.Size() == 0 {
		f.Close()
		return nil, coded(manifest.CodeSourceEmpty, "", fmt.Errorf("disk %s has no bytes", machine.Quote(d.File)))
	}
	if d.FileBytes != 0 && f.Size() != d.FileBytes {
		g.warn(manifest.CodeSourceMismatch, "the description says that the file %s has %d bytes, it has %d", d.File, d.FileBytes, f.Size())
	}
	if method, _ := packed.Detect(f); d.Gzip != (method == packed.Gzip) {
		g.warn(manifest.CodeSourceMismatch, "the description and the content of %s differ on whether it is compressed with gzip; the content counts", d.File)
	}
	return g.plain(f, d.File)
}
