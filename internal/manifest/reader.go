package manifest

import (
	"net"
	"path"
	"slices"
	"strings"
	"time"

	sy "hyper2kvm/internal/strictyaml"
)

// owners remembers which VM of a file names which source, so that none is taken twice.
type owners struct {
	self string // the manifest's own file name
	of   map[string]owner
}

type owner struct{ vm, line int }

// reader turns the document of one VM, checked against its shape, into a Draft. What the shape cannot say is checked here;
// values of a wrong type read as nil and were reported already.
type reader struct {
	*log
	owners owners
	vm     int
	d      Draft
}

// refuse reports a path that is not taken, and tells whether it was one.
func (r *reader) refuse(n *sy.Node, why refusal) bool {
	if why.code != "" {
		r.fail(why.code, n, why.hint, "%s", why.message)
	}
	return why.code != ""
}

// source reads one path of a source.
func (r *reader) source(n *sy.Node) (SourceDisk, bool) {
	text := n.Text()
	if text == nil || r.refuse(n, checkSource(*text)) {
		return SourceDisk{}, false
	}
	name := *text
	if path.IsAbs(name) {
		name = path.Clean(name)
	} else if name == r.owners.self {
		r.fail(CodeManifestConflict, n, "", "%s is this manifest itself", sy.Quote(name))
		return SourceDisk{}, false
	}
	first, taken := r.owners.of[name]
	switch {
	case taken && first.vm == r.vm:
		r.fail(CodeManifestConflict, n, "", "%s is named twice, first in line %d", sy.Quote(name), first.line)
	case taken && !path.IsAbs(name):
		r.fail(CodeManifestConflict, n, "a file beside the manifest moves with its job; an absolute path is read where it is",
			"%s belongs to another VM already, see line %d", sy.Quote(name), first.line)
	default:
		r.owners.of[name] = owner{vm: r.vm, line: n.Pos.Line}
	}
	return SourceDisk{Path: name}, true
}

// sources reads one path or a list of them, the checksum of a single one, and the type.
func (r *reader) sources(paths, checksum, kind *sy.Node) {
	nodes := []*sy.Node{paths}
	if paths != nil && paths.Kind == sy.List {
		nodes = paths.Items
	}
	for _, n := range nodes {
		if disk, ok := r.source(n); ok && len(r.d.Source.Disks) < MaxDisks {
			r.d.Source.Disks = append(r.d.Source.Disks, disk)
		}
	}
	if checksum != nil && len(nodes) > 1 {
		r.fail(CodeManifestConflict, checksum, "an artifact manifest has a checksum for each disk", "one checksum cannot stand for %d files", len(nodes))
	} else if sum := r.checksum(checksum); sum != "" && len(r.d.Source.Disks) == 1 {
		r.d.Source.Disks[0].SHA256 = sum
	}
	if t := kind.Text(); t != nil {
		r.d.Source.Type = *t
	}
}

// checksum reads sha256: and 64 hexadecimal digits.
func (r *reader) checksum(n *sy.Node) string {
	text := n.Text()
	if text == nil {
		return ""
	}
	digits, found := strings.CutPrefix(strings.ToLower(*text), "sha256:")
	if !found || len(digits) != 64 || strings.Trim(digits, "0123456789abcdef") != "" {
		r.fail(CodeManifestValue, n, "", "want sha256: and 64 hexadecimal digits, got %s", sy.Quote(*text))
		return ""
	}
	return digits
}

// name reads the VM's name; where there is none, the first source gives it.
func (r *reader) name(n *sy.Node) {
	if text := n.Text(); text != nil {
		if fault := nameFault(*text); fault != "" {
			r.fail(CodePolicyName, n, "the name becomes a file, a directory and a domain", "%s cannot be a name: %s", sy.Quote(*text), fault)
		}
		r.d.Name, r.d.Named = *text, true
	}
	if r.d.Name == "" && len(r.d.Source.Disks) > 0 {
		r.d.Name = NameFor(r.d.Source.Disks[0].Path)
	}
}

// outputDir reads an absolute directory.
func (r *reader) outputDir(n *sy.Node) {
	if text := n.Text(); text != nil && !r.refuse(n, checkAbsolute(*text)) {
		r.d.OutputDir = path.Clean(*text)
	}
}

// outputName reads the file name of the first image. Its extension must be that of the format; where no format is said, the
// extension says it.
func (r *reader) outputName(n *sy.Node, name string, format *sy.Node) {
	if fault := nameFault(name); fault != "" {
		r.fail(CodePolicyName, n, "", "%s cannot be a file name: %s", sy.Quote(name), fault)
		return
	}
	r.d.OutputName = name
	implied, known := formatOf[strings.ToLower(path.Ext(name))]
	switch {
	case !known:
	case format == nil:
		r.d.Format = &implied
	case format.Text() != nil && *format.Text() != implied && slices.Contains(outputFormats, *format.Text()):
		r.fail(CodeManifestConflict, n, "", "%s is a name for %s, but the format is %s", sy.Quote(name), implied, *format.Text())
	}
}

// compression reads the keys about how the image is written, which are the same in every dialect, and looks whether they fit.
func (r *reader) compression(in, format *sy.Node) {
	d := &r.d
	d.Format = word(format, outputFormats)
	d.Compress, d.Flatten = in.Get("compress").Bool(), in.Get("flatten").Bool()
	d.Compression = word(in.Get("compression"), compressions)
	level := in.Get("compress_level")
	if v := level.Int(); v != nil && *v >= 1 && *v <= 19 {
		if *v > 9 && or(d.Compression, CompressionZlib) == CompressionZlib {
			r.fail(CodeManifestConflict, level, "levels above 9 need compression: zstd", "zlib has the levels 1 to 9, got %d", *v)
		}
		n := int(*v)
		d.Level = &n
	}
	// A key that holds for a whole list may stand beside a format that it does not touch.
	if compress := in.Get("compress"); or(d.Compress, false) && d.Format != nil && *d.Format != FormatQcow2 && siblings(compress, format) {
		r.warn(CodeManifestIgnored, compress, "", "%s images are not compressed; only qcow2 is", *d.Format)
	}
	if level != nil && d.Compress != nil && !*d.Compress && siblings(level, in.Get("compress")) {
		r.warn(CodeManifestIgnored, level, "", "the level has no effect with compress: false")
	}
}

// siblings reports whether two values stand in the same mapping of the file.
func siblings(a, b *sy.Node) bool {
	return strings.TrimSuffix(a.Path, lastKey(a.Path)) == strings.TrimSuffix(b.Path, lastKey(b.Path))
}

func lastKey(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// word reads one of the words, nil for another value.
func word(n *sy.Node, words []string) *string {
	if t := n.Text(); t != nil && slices.Contains(words, *t) {
		v := *t
		return &v
	}
	return nil
}

// networkLevel reads the level of network repairs; full is what the pipeline manifest's first writer called aggressive.
func (r *reader) networkLevel(n *sy.Node) {
	level := word(n, networkLevels)
	if level != nil && *level == "full" {
		r.warn(CodeManifestAlias, n, "write aggressive", "full is read as aggressive")
		*level = NetworkAggressive
	}
	r.d.NetworkLevel = level
}

// machine reads vm and nics.
func (r *reader) machine(doc *sy.Node) {
	m, vm := &r.d.Machine, doc.Get("vm")
	if v := vm.Get("cpu").Int(); v != nil && *v >= 0 && *v <= maxCPUs {
		m.CPUs = int(*v)
	}
	gb, mb := vm.Get("mem_gb").Int(), vm.Get("mem_mb").Int()
	switch {
	case gb != nil && mb != nil:
		r.fail(CodeManifestConflict, vm.Get("mem_mb"), "", `"mem_mb" cannot stand beside "mem_gb"`)
	case gb != nil && *gb >= 0 && *gb <= maxMemGB:
		m.MemoryMiB = *gb << 10
	case mb != nil && *mb >= 0:
		m.MemoryMiB = *mb
	}
	if f := vm.Get("firmware"); f.Text() != nil {
		switch *f.Text() {
		case "efi":
			r.warn(CodeManifestAlias, f, "write uefi", "efi is read as uefi")
			m.Firmware = "uefi"
		case "bios", "uefi":
			m.Firmware = *f.Text()
		}
	}
	if m.SecureBoot = vm.Get("secureboot").Bool(); or(m.SecureBoot, false) && m.Firmware == "bios" {
		r.fail(CodeManifestConflict, vm.Get("secureboot"), "", "Secure Boot needs firmware: uefi, but the firmware is bios")
	}
	if hint := word(vm.Get("os_hint"), []string{"linux", "windows"}); hint != nil {
		m.OSHint = *hint
	}
	m.OSVersion = text(vm.Get("os_version"))
	r.networks(doc.Get("network_map"))
	nics := doc.Get("nics")
	for i := range min(items(nics), MaxNICs) {
		n := nics.Items[i]
		m.NICs = append(m.NICs, NIC{ID: text(n.Get("id")), MAC: r.mac(n.Get("mac")), Network: text(n.Get("network"))})
	}
}

// guest reads the keys of FIX that every dialect has.
func (r *reader) guest(in *sy.Node) {
	r.d.Serial, r.d.Compact = in.Get("serial_console").Bool(), in.Get("compact").Bool()
	if n := in.Get("key_file"); n != nil {
		if keys, ok := r.source(n); ok {
			r.d.KeyFile = keys.Path
		}
	}
}

// networks reads what stands for the source's networks.
func (r *reader) networks(n *sy.Node) {
	if n == nil || n.Kind != sy.Map || len(n.Entries) == 0 || len(n.Entries) > MaxNetworks {
		return
	}
	r.d.Machine.Networks = map[string]string{}
	for _, e := range n.Entries {
		if e.Value.Kind != sy.Text {
			continue // reported already
		}
		if err := CheckNetwork(e.Value.Value); err != nil {
			r.fail(CodeManifestValue, e.Value, "virsh net-list --all lists networks, ip link show type bridge lists bridges", "%v", err)
			continue
		}
		r.d.Machine.Networks[e.Key] = e.Value.Value
	}
}

// mac reads a hardware address of six bytes.
func (r *reader) mac(n *sy.Node) string {
	s := n.Text()
	if s == nil || *s == "" {
		return ""
	}
	mac, err := net.ParseMAC(*s)
	if err != nil || len(mac) != 6 {
		r.fail(CodeManifestValue, n, "", "want a hardware address as in 00:50:56:ab:cd:ef, got %s", sy.Quote(*s))
		return ""
	}
	return mac.String()
}

// options reads the options block.
func (r *reader) options(n *sy.Node) {
	r.d.DryRun = n.Get("dry_run").Bool()
	report := n.Get("report")
	if on := report.Get("enabled"); on.Bool() != nil && !*on.Bool() {
		r.warn(CodeManifestIgnored, on, "", "the report is always written")
	}
	if p := report.Get("path"); p.Text() != nil && *p.Text() != "report.json" {
		r.warn(CodeManifestIgnored, p, "", "the report is always report.json beside the images")
	}
}

// tags reads labels.
func (r *reader) tags(n *sy.Node) {
	if n == nil || n.Kind != sy.Map || len(n.Entries) == 0 || len(n.Entries) > MaxTags {
		return
	}
	r.d.Tags = Tags{}
	for _, e := range n.Entries {
		r.d.Tags[e.Key] = e.Value.Value
	}
}

// bootRequire looks whether a boot test is required that is switched off.
func (r *reader) boot(in *sy.Node) {
	r.d.BootTest, r.d.BootRequire = in.Get("boot_test").Bool(), in.Get("require_boot").Bool()
	if or(r.d.BootRequire, false) && !or(r.d.BootTest, true) {
		r.fail(CodeManifestConflict, in.Get("require_boot"), "", "a boot test cannot be required with boot_test: false")
	}
}

// text returns a text, "" where there is none.
func text(n *sy.Node) string {
	return or(n.Text(), "")
}

// items returns how many items a list has, 0 for anything else.
func items(n *sy.Node) int {
	if n == nil || n.Kind != sy.List {
		return 0
	}
	return len(n.Items)
}

// when returns a time, nil where there is none.
func when(n *sy.Node) *time.Time {
	t, err := time.Parse(time.RFC3339, text(n))
	if err != nil {
		return nil
	}
	return &t
}
