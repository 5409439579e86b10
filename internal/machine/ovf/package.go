package ovf

import (
	"fmt"
	"io"
	"strings"

	"hyper2kvm/internal/machine"
)

// Package is what an OVF descriptor says.
type Package struct {
	Version       string            // 0.9, 1 or 2; what the envelope's namespace or attribute tells, "" if neither does
	Systems       []machine.Machine // every virtual system, collections flattened, in the descriptor's order
	Files         []File            // the References, in their order
	Disks         []machine.Disk    // the whole DiskSection, without buses: also parents that no system names itself
	Networks      []Network
	Configuration string   // deployment option that was taken, "" if the descriptor offers none
	Warnings      []string // what is strange or left out, for the report
}

// File is a file that the package refers to.
type File struct {
	ID          string
	Href        string // as written
	Name        string // Href as a relative name, percent escapes decoded; "" if it leads outside and so is never opened
	Size        int64  // bytes as stated, 0 if not
	Compression string // gzip or ""
	ChunkSize   int64  // bytes; 0 = the file is whole
}

// Network is a logical network of the package.
type Network struct {
	Name        string
	Description string
}

// File returns the file of that ID.
func (p *Package) File(id string) (File, bool) {
	for _, f := range p.Files {
		if f.ID == id {
			return f, true
		}
	}
	return File{}, false
}

// Disk returns the disk of that ID in the DiskSection; a system's disk names its parent this way.
func (p *Package) Disk(id string) (machine.Disk, bool) {
	for _, d := range p.Disks {
		if d.ID == id {
			return d, true
		}
	}
	return machine.Disk{}, false
}

// reader is the state of one Parse.
type reader struct {
	p            *Package
	files        map[string]int      // index into p.Files by ID; a hostile descriptor has tens of thousands
	disksByID    map[string]int      // index into p.Disks
	steps        int                 // properties looked at so far
	diskElements map[string]*element // DiskSection by diskId, for capacities that depend on a system's properties
	unresolved   map[string]bool     // diskIds whose capacity is a ${property}
	used         map[string]bool     // diskIds that a system names
}

// Parse reads a descriptor. Errors are ErrDescriptor, ErrUnsupported, ErrMember for a disk whose file lies outside the package,
// ErrLimit, or the reader's own.
func Parse(r io.Reader) (*Package, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("ovf: read descriptor: %w", err)
	}
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("ovf: %w: descriptor is larger than %d bytes", machine.ErrLimit, MaxBytes)
	}
	root, err := parseTree(b)
	if err != nil {
		return nil, fmt.Errorf("ovf: %w", err)
	}
	if !strings.EqualFold(root.name, "Envelope") {
		return nil, fmt.Errorf("ovf: %w: the document is <%s>, needed is <Envelope>", machine.ErrDescriptor, root.name)
	}
	rd := &reader{
		p: &Package{}, files: map[string]int{}, disksByID: map[string]int{}, diskElements: map[string]*element{},
		unresolved: map[string]bool{}, used: map[string]bool{},
	}
	if err := rd.envelope(root); err != nil {
		return nil, fmt.Errorf("ovf: %w", err)
	}
	return rd.p, nil
}

// envelope reads the document's sections in the order in which they depend on each other.
func (rd *reader) envelope(root *element) error {
	rd.p.Version = rd.version(root)
	if err := rd.references(root); err != nil {
		return err
	}
	rd.configuration(root)
	if err := rd.disks(root); err != nil {
		return err
	}
	for section := range root.all("NetworkSection") {
		for n := range section.all("Network") {
			rd.p.Networks = append(rd.p.Networks, Network{Name: n.attr("name"), Description: n.value("Description")})
		}
	}
	if err := rd.systems(root, []*element{root}); err != nil {
		return err
	}
	if len(rd.p.Systems) == 0 {
		return fmt.Errorf("%w: there is no VirtualSystem in it", machine.ErrDescriptor)
	}
	rd.adoptDisks()
	return nil
}

// version tells which OVF the envelope follows. A later one than 2 is read as 2, with a warning.
func (rd *reader) version(root *element) string {
	for _, a := range root.attrs {
		if a.Name.Space != "xmlns" && (a.Name.Space != "" || a.Name.Local != "xmlns") {
			continue
		}
		if strings.HasPrefix(a.Value, "http://www.vmware.com/schema/ovf/") && strings.HasSuffix(a.Value, "/envelope") {
			return "0.9"
		}
		_, v, ok := strings.Cut(a.Value, "/ovf/envelope/")
		switch {
		case !ok:
		case v == "1", v == "2":
			return v
		default:
			rd.warn("the envelope's version is %s; it is read as OVF 2", machine.Quote(v))
			return v
		}
	}
	return root.attr("version")
}

// configuration takes the default deployment option: the one marked so, else the first (DSP0243 9.8).
func (rd *reader) configuration(root *element) {
	var ids []string
	for c := range root.first("DeploymentOptionSection").all("Configuration") {
		id := c.attr("id")
		ids = append(ids, id)
		if len(ids) == 1 || isTrue(c.attr("default")) {
			rd.p.Configuration = id
		}
	}
	if len(ids) > 1 {
		rd.warn("the package offers %d deployment options; taken is %s", len(ids), machine.Quote(rd.p.Configuration))
	}
}

// applies reports whether an element with a configuration attribute belongs to the deployment option that was taken.
func (rd *reader) applies(e *element) bool {
	c := e.attr("configuration")
	if c == "" {
		return true
	}
	for id := range strings.FieldsSeq(c) {
		if id == rd.p.Configuration {
			return true
		}
	}
	return false
}

// maxWarnings bounds the warnings of one package; a hostile one could make one out of every element.
const maxWarnings = 100

// warn adds a warning.
func (rd *reader) warn(format string, args ...any) {
	if len(rd.p.Warnings) < maxWarnings {
		rd.p.Warnings = append(rd.p.Warnings, fmt.Sprintf(format, args...))
	}
}

// isTrue reads an XML boolean.
func isTrue(s string) bool { return s == "1" || strings.EqualFold(s, "true") }
