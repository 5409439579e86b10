package manifest

import (
	"maps"
	"slices"
)

// Draft is one VM as its manifest describes it: every answer that the manifest leaves open is nil, which is not false.
type Draft struct {
	Dialect Dialect
	File    string // name that Load was given
	Line    int    // 1-based line where the description of the VM begins; 0 without a manifest
	Name    string // VM name, valid per ValidName; from the first source's file name where the manifest gives none
	Named   bool   // the manifest gave the name
	Source  Source
	Machine Machine
	Origin  Origin
	Tags    Tags

	Inspect, DetectOS               *bool
	Fix                             *bool // the master switch
	Fstab, Grub, Initramfs, Network *bool
	RemoveTools, Serial, Compact    *bool
	KeyFile                         string // passphrases of encrypted disks; "" = not said
	FstabMode, NetworkLevel         *string
	Format, Compression             *string
	Compress, Flatten               *bool
	Level                           *int
	OutputDir, OutputName           string // absolute directory, file name; "" = not said
	Validate, Integrity             *bool
	BootTest, BootRequire           *bool
	DryRun                          *bool
}

// FromFiles returns the Draft of sources that came without a manifest: an image, an OVA, OVF or VMX, or the images of a folder.
// entry is the name they came under.
func FromFiles(entry string, paths ...string) Draft {
	d := Draft{File: entry, Name: NameFor(entry)}
	for _, p := range paths {
		d.Source.Disks = append(d.Source.Disks, SourceDisk{Path: p})
	}
	return d
}

// Inputs returns the files that the manifest names, the disks in its order and then the file of keys.
func (d Draft) Inputs() []string {
	paths := make([]string, len(d.Source.Disks))
	for i, disk := range d.Source.Disks {
		paths[i] = disk.Path
	}
	if d.KeyFile != "" {
		paths = append(paths, d.KeyFile)
	}
	return paths
}

// or returns the answer, or the default where there is none.
func or[T any](answer *T, otherwise T) T {
	if answer != nil {
		return *answer
	}
	return otherwise
}

// Resolve answers what the draft leaves open with the defaults and returns the Job, which shares nothing with the draft.
//
// Asking for a single repair switches the FIX stage on where only the defaults say off, and asking for a boot test does the
// same to VALIDATE. Compression holds for qcow2 only: for another format the Job says that there is none.
func (d Draft) Resolve(def Defaults) Job {
	j := Job{
		Dialect: d.Dialect, Name: d.Name, Source: d.Source, Machine: d.Machine, Tags: maps.Clone(d.Tags), Asked: d.asked(),
		Origin: d.Origin, DryRun: or(d.DryRun, false),
	}
	j.Source.Disks = slices.Clone(d.Source.Disks)
	j.Machine.NICs = slices.Clone(d.Machine.NICs)
	j.Machine.Networks = maps.Clone(def.Networks)
	for from, to := range d.Machine.Networks {
		if j.Machine.Networks == nil {
			j.Machine.Networks = map[string]string{}
		}
		j.Machine.Networks[from] = to
	}
	j.Origin.Notes, j.Origin.Warnings = slices.Clone(d.Origin.Notes), slices.Clone(d.Origin.Warnings)

	j.Inspect = Inspect{Enabled: or(d.Inspect, def.Inspect || or(d.DetectOS, false)), DetectOS: or(d.DetectOS, true)}
	j.Fix = d.resolveFix(def)
	j.Convert = d.resolveConvert(def)
	boot := or(d.BootTest, def.BootTest)
	j.Check = Check{
		Enabled:     or(d.Validate, def.Validate || or(d.BootTest, false)),
		Integrity:   or(d.Integrity, true),
		BootTest:    boot,
		BootRequire: boot && or(d.BootRequire, false),
	}
	return j
}

func (d Draft) resolveFix(def Defaults) Fix {
	mode := or(d.FstabMode, def.FstabMode)
	asked := or(d.Fstab, false) || or(d.Grub, false) || or(d.Initramfs, false) || or(d.Network, false) || or(d.RemoveTools, false) ||
		or(d.Serial, false) || or(d.Compact, false) || d.NetworkLevel != nil || (d.FstabMode != nil && mode != FstabNoop)
	return Fix{
		Enabled:           or(d.Fix, def.Fix || asked),
		Fstab:             or(d.Fstab, true) && mode != FstabNoop,
		FstabMode:         mode,
		Grub:              or(d.Grub, def.Grub),
		Initramfs:         or(d.Initramfs, def.Initramfs),
		Network:           or(d.Network, def.Network || d.NetworkLevel != nil),
		NetworkLevel:      or(d.NetworkLevel, def.NetworkLevel),
		RemoveVMwareTools: or(d.RemoveTools, def.RemoveTools),
		SerialConsole:     or(d.Serial, def.Serial),
		Compact:           or(d.Compact, def.Compact),
		KeyFile:           d.KeyFile,
	}
}

func (d Draft) resolveConvert(def Defaults) Convert {
	c := Convert{
		Format: or(d.Format, def.Format), Flatten: or(d.Flatten, def.Flatten), OutputDir: d.OutputDir, OutputName: d.OutputName,
	}
	c.Compress = c.Format == FormatQcow2 && or(d.Compress, def.Compress)
	if c.Compress {
		c.Compression = or(d.Compression, def.Compression)
		switch {
		case d.Level != nil:
			c.Level = *d.Level
		case c.Compression == def.Compression: // the default level belongs to the default method
			c.Level = def.Level
		}
	}
	return c
}

// asked lists the answers that the manifest gave.
func (d Draft) asked() Asked {
	said := Asked{
		"name":                    d.Named,
		"source.type":             d.Source.Type != "",
		"dry_run":                 d.DryRun != nil,
		"machine.cpus":            d.Machine.CPUs != 0,
		"machine.memory_mib":      d.Machine.MemoryMiB != 0,
		"machine.firmware":        d.Machine.Firmware != "",
		"machine.secure_boot":     d.Machine.SecureBoot != nil,
		"machine.os_hint":         d.Machine.OSHint != "",
		"machine.os_version":      d.Machine.OSVersion != "",
		"machine.nics":            len(d.Machine.NICs) > 0,
		"machine.networks":        len(d.Machine.Networks) > 0,
		"inspect":                 d.Inspect != nil,
		"inspect.detect_os":       d.DetectOS != nil,
		"fix":                     d.Fix != nil,
		"fix.fstab":               d.Fstab != nil,
		"fix.fstab_mode":          d.FstabMode != nil,
		"fix.grub":                d.Grub != nil,
		"fix.initramfs":           d.Initramfs != nil,
		"fix.network":             d.Network != nil,
		"fix.network_level":       d.NetworkLevel != nil,
		"fix.remove_vmware_tools": d.RemoveTools != nil,
		"fix.serial_console":      d.Serial != nil,
		"fix.compact":             d.Compact != nil,
		"fix.key_file":            d.KeyFile != "",
		"convert.format":          d.Format != nil,
		"convert.compress":        d.Compress != nil,
		"convert.compression":     d.Compression != nil,
		"convert.level":           d.Level != nil,
		"convert.flatten":         d.Flatten != nil,
		"convert.output_dir":      d.OutputDir != "",
		"convert.output_name":     d.OutputName != "",
		"validate":                d.Validate != nil,
		"validate.integrity":      d.Integrity != nil,
		"validate.boot_test":      d.BootTest != nil,
		"validate.boot_require":   d.BootRequire != nil,
	}
	maps.DeleteFunc(said, func(_ string, yes bool) bool { return !yes })
	return said
}
