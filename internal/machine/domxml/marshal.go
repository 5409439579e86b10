package domxml

import (
	"encoding/xml"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"hyper2kvm/internal/machine"
)

// What a machine gets whose description does not say: enough for an ordinary server to start with.
const (
	DefaultCPUs             = 2
	DefaultMemoryMiB        = 2048
	DefaultWindowsMemoryMiB = 4096
	DefaultNetwork          = "default" // the network that libvirt sets up itself
)

// OtherNetworks is the name under which Options.Networks has what stands for every network that it does not name.
const OtherNetworks = "*"

// maxDisks bounds the disks of a domain; names of devices stay short and QEMU's slots suffice.
const maxDisks = 256

// Disk is one disk of the domain, in the guest's order.
type Disk struct {
	Path   string       // absolute path of the image
	Format string       // qcow2, raw, vdi or vmdk
	Bus    machine.Bus  // fixes the bus; BusUnknown lets the rules of this package choose
	Source machine.Disk // where it was attached: bus, controller, model
}

// Options are the choices that the machine's description does not make.
type Options struct {
	UUID       string            // of the domain; "" lets libvirt give it one
	BootDisk   int               // index of the disk to boot from; out of range means the first
	VirtioDisk bool              // virtio disks are proved to work in this guest
	VirtioNet  bool              // virtio network cards are proved to work in this guest
	Windows    bool              // the guest is a Windows: its clock keeps local time
	Networks   map[string]string // by name of the source network: "network:default", or "bridge:br0"
	AddNIC     bool              // nothing describes the machine's cards: give it one
}

// Domain is a machine ready to be written, and what a person should know about it.
type Domain struct {
	Name     string // as libvirt takes it
	Warnings []string
	xml      domainXML
}

// formats are the image formats that libvirt and QEMU both know by these names.
var formats = map[string]bool{"qcow2": true, "raw": true, "vdi": true, "vmdk": true}

// uuidText matches a UUID as libvirt takes it.
var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// Marshal returns the domain as XML. What a person should know stands in it as a comment; Build hands it out by itself.
func Marshal(m machine.Machine, disks []Disk, o Options) ([]byte, error) {
	d, err := Build(m, disks, o)
	if err != nil {
		return nil, err
	}
	return d.Marshal()
}

// Build chooses the domain's hardware. Errors are ErrMember for a path that cannot be written down, ErrUnsupported for an
// image format that QEMU does not know, ErrDescriptor for a bad UUID, and ErrLimit.
func Build(m machine.Machine, disks []Disk, o Options) (*Domain, error) {
	if len(disks) > maxDisks {
		return nil, fmt.Errorf("domxml: %w: %d disks, the most is %d", machine.ErrLimit, len(disks), maxDisks)
	}
	if o.UUID != "" && !uuidText.MatchString(o.UUID) {
		return nil, fmt.Errorf("domxml: %w: UUID %s", machine.ErrDescriptor, machine.Quote(o.UUID))
	}
	for i, d := range disks {
		if err := checkDisk(d); err != nil {
			return nil, fmt.Errorf("domxml: disk %d: %w", i+1, err)
		}
	}
	d := &Domain{Name: domainName(m.Name)}
	if m.Name != "" && d.Name != m.Name {
		d.warn("the machine's name %s is written as %s", machine.Quote(m.Name), machine.Quote(d.Name))
	}
	d.xml = domainXML{Type: "kvm", Name: d.Name, UUID: strings.ToLower(o.UUID)}
	d.size(m, o)
	d.firmware(m)
	d.disks(m, disks, o)
	d.clock(o)
	d.nics(m, o)
	d.common()
	return d, nil
}

// Marshal returns the domain as XML with a comment that lists the warnings.
func (d *Domain) Marshal() ([]byte, error) {
	out := d.xml
	if len(d.Warnings) > 0 {
		var b strings.Builder
		for _, w := range d.Warnings {
			b.WriteString("\n    - " + commentText(w))
		}
		out.Comment = " Written by hyper2kvm. To know:" + b.String() + "\n  "
	}
	b, err := xml.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("domxml: %w", err)
	}
	return append(b, '\n'), nil
}

// warn adds a warning.
func (d *Domain) warn(format string, args ...any) {
	d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...))
}

// checkDisk refuses what would come out of the XML as something else than went in.
func checkDisk(d Disk) error {
	switch {
	case !path.IsAbs(d.Path):
		return fmt.Errorf("%w: path %s is not absolute", machine.ErrMember, machine.Quote(d.Path))
	case !utf8.ValidString(d.Path) || strings.ContainsFunc(d.Path, notXML):
		return fmt.Errorf("%w: path %s has characters that XML cannot hold", machine.ErrMember, machine.Quote(d.Path))
	case !formats[d.Format]:
		return fmt.Errorf("%w: image format %s; QEMU takes qcow2, raw, vdi and vmdk", machine.ErrUnsupported, machine.Quote(d.Format))
	}
	return nil
}

// notXML reports whether XML 1.0 cannot hold a character, or libvirt's schema not in a path.
func notXML(r rune) bool {
	return r < 0x20 || r == 0x7f || r == 0xfffe || r == 0xffff || r == utf8.RuneError
}

// domainName turns a name into one that libvirt takes: not empty, without slashes and control characters, no path.
func domainName(name string) string {
	name = strings.Map(func(r rune) rune {
		if notXML(r) || r == '/' {
			return '-'
		}
		return r
	}, strings.TrimSpace(name))
	const most = 200 // characters; libvirt makes file names of it
	if runes := []rune(name); len(runes) > most {
		name = string(runes[:most])
	}
	for len(name) > most {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	name = strings.TrimSpace(name)
	if strings.Trim(name, ".") == "" {
		return "vm" + name
	}
	return name
}

// commentText makes a text fit for an XML comment, which may not contain two hyphens in a row nor end in one.
func commentText(s string) string {
	s = strings.Map(func(r rune) rune {
		if notXML(r) {
			return '?'
		}
		return r
	}, s)
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "- -")
	}
	return s
}
