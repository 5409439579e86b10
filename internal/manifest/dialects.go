package manifest

import (
	"path"
	"strings"

	sy "hyper2kvm/internal/strictyaml"
)

// jobConfig reads a VM of a job config.
func (r *reader) jobConfig(doc *sy.Node) {
	d := &r.d
	r.sources(doc.Get("input"), doc.Get("checksum"), doc.Get("input_format"))
	r.name(doc.Get("name"))
	format := doc.Get("output_format")
	r.compression(doc, format)
	r.outputDir(doc.Get("output_dir"))
	if n := doc.Get("output_name"); n.Text() != nil {
		r.outputName(n, *n.Text(), format)
	}
	d.Inspect, d.Fix, d.Validate, d.DryRun = doc.Get("inspect").Bool(), doc.Get("fix").Bool(), doc.Get("validate").Bool(), doc.Get("dry_run").Bool()
	d.FstabMode = word(doc.Get("fstab_mode"), fstabModes)
	d.Initramfs, d.Grub = doc.Get("regen_initramfs").Bool(), doc.Get("fix_grub").Bool()
	d.Network, d.RemoveTools = doc.Get("fix_network").Bool(), doc.Get("remove_vmware_tools").Bool()
	r.networkLevel(doc.Get("network_fix_level"))
	r.guest(doc)
	r.boot(doc)
	r.machine(doc)
	r.tags(doc.Get("tags"))
}

// pipeline reads a VM of a pipeline manifest.
func (r *reader) pipeline(doc *sy.Node) {
	d, p := &r.d, doc.Get("pipeline")
	load := p.Get("load")
	r.sources(load.Get("source_path"), load.Get("checksum"), load.Get("source_type"))
	r.name(doc.Get("name"))
	d.Inspect, d.DetectOS = p.Get("inspect", "enabled").Bool(), p.Get("inspect", "detect_os").Bool()

	fix := p.Get("fix")
	d.Fix, d.RemoveTools = fix.Get("enabled").Bool(), fix.Get("remove_vmware_tools").Bool()
	d.Fstab, d.FstabMode = fix.Get("fstab", "enabled").Bool(), word(fix.Get("fstab", "mode"), fstabModes)
	d.Grub = fix.Get("grub", "enabled").Bool()
	// Either switch turns the initramfs off: there is no repair of it but to rebuild it.
	d.Initramfs = fix.Get("initramfs", "enabled").Bool()
	if again := fix.Get("initramfs", "regenerate").Bool(); again != nil && or(d.Initramfs, true) {
		d.Initramfs = again
	}
	d.Network = fix.Get("network", "enabled").Bool()
	r.networkLevel(fix.Get("network", "fix_level"))
	r.guest(fix)

	convert := p.Get("convert")
	format := convert.Get("output_format")
	r.compression(convert, format)
	r.outputPath(convert.Get("output_path"), format)

	d.Validate, d.Integrity = p.Get("validate", "enabled").Bool(), p.Get("validate", "check_image_integrity").Bool()
	r.boot(p.Get("validate"))
	r.options(doc.Get("options"))
	r.machine(doc)
	r.tags(doc.Get("tags"))
}

// outputPath reads where the first image goes: a file name, an absolute path, or with a slash at its end a directory.
func (r *reader) outputPath(n, format *sy.Node) {
	s := n.Text()
	if s == nil {
		return
	}
	if !strings.Contains(*s, "/") {
		if !r.refuse(n, checkPath(*s)) {
			r.outputName(n, *s, format)
		}
		return
	}
	if r.refuse(n, checkAbsolute(*s)) {
		return
	}
	dir, name := path.Split(*s)
	r.d.OutputDir = path.Clean(dir)
	if name != "" {
		r.outputName(n, name, format)
	}
}

// artifact reads an artifact manifest.
func (r *reader) artifact(doc *sy.Node) {
	d := &r.d
	r.disks(doc.Get("disks"))
	format := doc.Get("output", "format")
	p := doc.Get("pipeline")
	r.compression(p.Get("convert"), format)
	if on := p.Get("convert", "enabled"); on.Bool() != nil && !*on.Bool() {
		r.fail(CodeManifestValue, on, "options: {dry_run: true} plans and converts nothing", "the conversion cannot be left out")
	}
	r.outputDir(doc.Get("output", "directory"))
	if n := doc.Get("output", "filename"); n.Text() != nil {
		r.outputName(n, *n.Text(), format)
	}
	r.origin(doc)
	r.artifactName()

	d.Inspect, d.DetectOS = p.Get("inspect", "enabled").Bool(), p.Get("inspect", "collect_guest_info").Bool()
	fix := p.Get("fix")
	d.Fix, d.RemoveTools = fix.Get("enabled").Bool(), fix.Get("remove_vmware_tools").Bool()
	d.FstabMode = word(fix.Get("fstab_mode"), fstabModes)
	d.Grub, d.Initramfs = fix.Get("update_grub").Bool(), fix.Get("regen_initramfs").Bool()
	r.guest(fix)
	d.Validate, d.Integrity = p.Get("validate", "enabled").Bool(), p.Get("validate", "check_image_integrity").Bool()
	r.boot(p.Get("validate"))
	r.options(doc.Get("options"))
	r.machine(doc)
	r.tags(doc.Get("metadata", "tags"))
	if c := doc.Get("configuration"); c != nil && c.Kind == sy.Map && len(c.Entries) > 0 {
		r.warn(CodeManifestIgnored, c, "set up the guest after its first start", "users, services, hostname and network of the guest are not applied")
	}
}

// disks reads the disks of an artifact manifest.
func (r *reader) disks(list *sy.Node) {
	ids := map[string]int{}
	boot, hints := 0, map[int]int{}
	for i := range min(items(list), MaxDisks) {
		n := list.Items[i]
		disk, ok := r.source(n.Get("local_path"))
		if !ok {
			continue
		}
		if id := n.Get("id"); id.Text() != nil {
			disk.ID = *id.Text()
			if disk.ID == "" || strings.Trim(disk.ID, idLetters) != "" || len(disk.ID) > MaxName {
				r.fail(CodeManifestValue, id, "", "want letters, digits, _ and -, got %s", sy.Quote(disk.ID))
			} else if line := ids[disk.ID]; line > 0 {
				r.fail(CodeManifestDuplicate, id, "", "the id %s stands twice, first in line %d", sy.Quote(disk.ID), line)
			} else {
				ids[disk.ID] = id.Pos.Line
			}
		}
		disk.Format = text(n.Get("source_format"))
		disk.Bytes = max(or(n.Get("bytes").Int(), 0), 0)
		disk.SHA256 = r.checksum(n.Get("checksum"))
		if v := n.Get("boot_order_hint").Int(); v != nil && *v >= 0 && *v < 1<<31 {
			order := int(*v)
			if line := hints[order]; line > 0 {
				r.warn(CodeManifestConflict, n.Get("boot_order_hint"), "", "line %d has the same number; the first disk of the list boots first", line)
			} else {
				hints[order] = n.Get("boot_order_hint").Pos.Line
			}
			disk.BootOrder = &order
		}
		if role := word(n.Get("disk_type"), []string{"boot", "data"}); role != nil {
			disk.Role = *role
			if *role == "boot" {
				if boot > 0 {
					r.fail(CodeManifestConflict, n.Get("disk_type"), "", "a VM has one boot disk; line %d names another", boot)
				}
				boot = n.Get("disk_type").Pos.Line
			}
		}
		r.d.Source.Disks = append(r.d.Source.Disks, disk)
	}
}

// idLetters are what the id of a disk may hold.
const idLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// origin reads what an artifact manifest says of the export.
func (r *reader) origin(doc *sy.Node) {
	src, meta, o := doc.Get("source"), doc.Get("metadata"), &r.d.Origin
	o.Provider, o.VMID, o.VMName = text(src.Get("provider")), text(src.Get("vm_id")), text(src.Get("vm_name"))
	o.Datacenter, o.ExportMethod, o.ExportedAt = text(src.Get("datacenter")), text(src.Get("export_method")), when(src.Get("export_timestamp"))
	o.ToolVersion, o.ExportJob, o.CreatedAt = text(meta.Get("hypersdk_version")), text(meta.Get("job_id")), when(meta.Get("created_at"))
	notes, warnings := doc.Get("notes"), doc.Get("warnings")
	for i := range min(items(notes), maxNotes) {
		o.Notes = append(o.Notes, text(notes.Items[i]))
	}
	for i := range min(items(warnings), maxNotes) {
		w := warnings.Items[i]
		o.Warnings = append(o.Warnings, OriginWarning{Stage: text(w.Get("stage")), Message: text(w.Get("message")), At: when(w.Get("timestamp"))})
	}
}

// artifactName takes the VM's name from the platform, cleaned where it could not be a file name, else from the output, else
// from the first disk.
func (r *reader) artifactName() {
	d := &r.d
	switch {
	case d.Origin.VMName != "":
		d.Name, d.Named = cleanName(d.Origin.VMName), true
	case d.OutputName != "":
		d.Name, d.Named = NameFor(d.OutputName), true
	default:
		r.name(nil)
	}
}
