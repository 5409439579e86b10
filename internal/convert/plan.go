package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// Facts is what a look at the sources and the host found, the input of NewPlan. It holds no open files.
type Facts struct {
	Disks    []DiskFacts      `json:"disks"`
	Machine  *machine.Machine `json:"machine,omitempty"`   // from OVF or VMX; nil for lone disks
	NoGuests string           `json:"no_guests,omitempty"` // why guests cannot be opened here; "" = they can
	NoBoot   string           `json:"no_boot,omitempty"`   // why no VM can be started here for a boot test
	Verify   []string         `json:"verify,omitempty"`    // files whose stated checksums LOAD verifies
}

// DiskFacts is what is known of one source disk before the run.
type DiskFacts struct {
	Name        string   `json:"name"`
	Format      string   `json:"format"` // as found by content
	Variant     string   `json:"variant,omitempty"`
	Creator     string   `json:"creator,omitempty"`
	Chain       []string `json:"chain,omitempty"` // files of the chain, top first, when there is more than one layer
	VirtualSize int64    `json:"virtual_size"`
	Allocated   int64    `json:"allocated"`        // bytes of content that must be read; an upper bound of the data
	Touched     int64    `json:"touched"`          // bytes of content in whole blocks of 64 KiB that hold data: what an output may store
	FileBytes   int64    `json:"file_bytes"`       // of the file as it is stored
	Packed      string   `json:"packed,omitempty"` // how the file is compressed as a whole: gzip, xz, zstd or bzip2
	Blank       bool     `json:"blank,omitempty"`
}

// sealed reports whether nothing is known of a disk but that it is compressed: a dry run does not unpack.
func (d DiskFacts) sealed() bool { return d.Packed != "" && d.VirtualSize == 0 }

// Plan is what a run will do, as --dry-run prints it and the report quotes it.
type Plan struct {
	Name     string             `json:"name"`
	Stages   []StagePlan        `json:"stages"`
	Disks    []DiskPlan         `json:"disks"`
	MaxBytes int64              `json:"max_bytes"` // upper bound of what is written; 0 = not known before a source is unpacked
	Warnings []manifest.Warning `json:"warnings"`
	DryRun   bool               `json:"dry_run,omitempty"`

	noGuests, noBoot string // as in Facts
}

// StagePlan is one stage of a Plan.
type StagePlan struct {
	Name string   `json:"name"`
	Does []string `json:"does,omitempty"`
	Skip string   `json:"skip,omitempty"` // why it is left out
}

// DiskPlan is one disk of a Plan.
type DiskPlan struct {
	Source      string `json:"source"`
	Output      string `json:"output"` // file name
	Format      string `json:"format"`
	Compression string `json:"compression,omitempty"` // zlib, zstd or "" for none
	Level       int    `json:"level,omitempty"`
	VirtualSize int64  `json:"virtual_size"`
	ReadBytes   int64  `json:"read_bytes"`
	MaxBytes    int64  `json:"max_bytes"` // 0 = not known, like the others, before the source is unpacked
}

// The reasons of stages that the job itself leaves out.
const (
	skipAsked = "switched off by the job"
	skipDry   = "dry run"
)

// NewPlan says what a run of the job on these facts will do, or why it cannot. It is pure: the same job and facts give the
// same plan. What the job's own manifest asks for and this version cannot do is an error here, before anything is written;
// what only a default asks for is left out with a warning.
func NewPlan(job manifest.Job, facts Facts) (Plan, error) {
	if len(facts.Disks) == 0 {
		return Plan{}, coded(manifest.CodeMachineNoDisk, "", fmt.Errorf("%s: there is no disk to convert", job.Name))
	}
	for _, check := range []func(manifest.Job, Facts) error{checkFormat, checkChains, checkRepairs, checkBootTest} {
		if err := check(job, facts); err != nil {
			return Plan{}, err
		}
	}
	p := Plan{Name: job.Name, Warnings: planWarnings(job, facts), DryRun: job.DryRun, MaxBytes: maxTextBytes, noGuests: facts.NoGuests, noBoot: facts.NoBoot}
	for i, d := range facts.Disks {
		output, err := outputName(job, i)
		if err != nil {
			return Plan{}, err
		}
		dp := newDiskPlan(job.Convert, d, output)
		p.Disks = append(p.Disks, dp)
		p.MaxBytes += dp.MaxBytes
	}
	if slices.ContainsFunc(facts.Disks, DiskFacts.sealed) {
		p.MaxBytes = 0
	}
	p.Stages = stagePlans(job, facts, p.Disks)
	return p, nil
}

// writable are the formats that this version writes.
var writable = []string{manifest.FormatQcow2, manifest.FormatRaw, manifest.FormatVMDK, manifest.FormatVDI}

func checkFormat(job manifest.Job, _ Facts) error {
	if slices.Contains(writable, job.Convert.Format) {
		return nil
	}
	return coded(manifest.CodeOutputFormat, "set output_format to qcow2, raw, vmdk or vdi",
		fmt.Errorf("output format %q cannot be written by this version; it writes %s", job.Convert.Format, strings.Join(writable, ", ")))
}

func checkChains(job manifest.Job, facts Facts) error {
	if job.Convert.Flatten {
		return nil
	}
	for _, d := range facts.Disks {
		if len(d.Chain) > 1 {
			return coded(manifest.CodeImageChain, "",
				fmt.Errorf("flatten is false, but %s is a chain of %d images (%s): an output cannot refer to a source's parent, so a chain is always written as one image",
					d.Name, len(d.Chain), strings.Join(d.Chain, ", ")))
		}
	}
	return nil
}

// checkRepairs refuses a job whose own manifest asks for a repair that this host cannot make.
func checkRepairs(job manifest.Job, facts Facts) error {
	if asked := askedRepairs(job); len(asked) > 0 && facts.NoGuests != "" {
		return coded(manifest.CodeFixUnavailable, "", fmt.Errorf("the manifest asks for %s, but %s", strings.Join(asked, ", "), facts.NoGuests))
	}
	return nil
}

// askedRepairs returns the field paths of the repairs that the job's own manifest switched on.
func askedRepairs(job manifest.Job) []string {
	if !job.Fix.Enabled {
		return nil
	}
	var asked []string
	for _, f := range []struct {
		path string
		on   bool
	}{
		{"fix", job.Fix.Enabled},
		{"fix.fstab", job.Fix.Fstab && job.Fix.FstabMode != manifest.FstabNoop},
		{"fix.fstab_mode", job.Fix.Fstab && job.Fix.FstabMode != manifest.FstabNoop},
		{"fix.grub", job.Fix.Grub},
		{"fix.initramfs", job.Fix.Initramfs},
		{"fix.network", job.Fix.Network},
		{"fix.network_level", job.Fix.Network},
		{"fix.remove_vmware_tools", job.Fix.RemoveVMwareTools},
		{"fix.serial_console", job.Fix.SerialConsole},
		{"fix.compact", job.Fix.Compact},
		{"fix.key_file", job.Fix.KeyFile != ""},
	} {
		if f.on && job.Asked[f.path] {
			asked = append(asked, f.path)
		}
	}
	return asked
}

// checkBootTest refuses a job whose own manifest asks for a boot test that this host cannot make.
func checkBootTest(job manifest.Job, facts Facts) error {
	why := cmp.Or(facts.NoGuests, facts.NoBoot)
	if why != "" && job.Check.BootTest && (job.Asked["validate.boot_test"] || job.Asked["validate.boot_require"]) {
		hint := ""
		if facts.NoGuests != "" { // the test needs both, and the hint of its own code speaks of qemu
			known, _ := manifest.LookupCode(manifest.CodeFixUnavailable)
			hint = known.Hint
		}
		return coded(manifest.CodeBootUnavailable, hint, fmt.Errorf("the manifest asks for a boot test, but %s", why))
	}
	return nil
}

// planWarnings are what the defaults ask for and a run leaves out, and what the manifest says to no effect.
func planWarnings(job manifest.Job, facts Facts) []manifest.Warning {
	warnings := []manifest.Warning{}
	if wantsRepairs(job.Fix) && facts.NoGuests != "" {
		warnings = append(warnings, manifest.Warning{
			Code: manifest.CodeFixUnavailable, Stage: StageFix, Message: facts.NoGuests + ": the guest is converted as it is",
			Hint: "a guest without virtio drivers in its initramfs needs them before it starts on virtio disks",
		})
	}
	if why := cmp.Or(facts.NoGuests, facts.NoBoot); job.Check.BootTest && why != "" {
		warnings = append(warnings, manifest.Warning{
			Code: manifest.CodeBootUnavailable, Stage: StageValidate, Message: "no boot test is made: " + why,
		})
	}
	if job.Convert.Compress && job.Asked["convert.compress"] && job.Convert.Format != manifest.FormatQcow2 {
		message := "compress is for qcow2; " + job.Convert.Format + " is written without it"
		if job.Convert.Format == manifest.FormatVMDK {
			message = "compress is for qcow2; vmdk is written as streamOptimized, which is always compressed"
		}
		warnings = append(warnings, manifest.Warning{Code: manifest.CodeManifestIgnored, Stage: StageConvert, Message: message})
	}
	return warnings
}

func wantsRepairs(f manifest.Fix) bool {
	return f.Enabled && (f.Fstab || f.Grub || f.Initramfs || f.Network || f.RemoveVMwareTools || f.SerialConsole || f.Compact)
}

func newDiskPlan(c manifest.Convert, d DiskFacts, output string) DiskPlan {
	p := DiskPlan{
		Source: cmp.Or(d.Name, blankName), Output: output, Format: c.Format,
		VirtualSize: d.VirtualSize, ReadBytes: d.Allocated,
	}
	if !d.sealed() {
		p.MaxBytes = maxFileBytes(c.Format, d)
	}
	switch {
	case c.Format == manifest.FormatVMDK:
		p.Compression = manifest.CompressionZlib
	case c.Format == manifest.FormatQcow2 && c.Compress:
		p.Compression, p.Level = cmp.Or(c.Compression, manifest.CompressionZlib), c.Level
	}
	return p
}

func stagePlans(job manifest.Job, facts Facts, disks []DiskPlan) []StagePlan {
	plans := make([]StagePlan, 0, len(StageNames()))
	for _, name := range StageNames() {
		s := StagePlan{Name: name}
		switch name {
		case StageLoad:
			s.Does = loadSteps(facts)
		case StageInspect:
			s.Does = []string{"read partition tables, file-system signatures and what they tell of the firmware"}
			if looksInto(job) && facts.NoGuests == "" {
				s.Does = append(s.Does, "find the operating system, its kernels and its file systems with libguestfs, on an overlay")
			}
			if !job.Inspect.Enabled {
				s = StagePlan{Name: name, Skip: skipAsked}
			}
		case StageFix:
			s.Does, s.Skip = fixSteps(job.Fix, facts)
		case StageConvert:
			for _, d := range disks {
				s.Does = append(s.Does, d.step())
			}
		case StageValidate:
			s.Does = validateSteps(job, facts)
		}
		if job.DryRun && (name == StageConvert || name == StageValidate) {
			s.Skip = skipDry
		}
		plans = append(plans, s)
	}
	return plans
}

// fixSteps says what FIX does, or why it is left out.
func fixSteps(f manifest.Fix, facts Facts) (steps []string, skip string) {
	switch {
	case !wantsRepairs(f):
		return nil, skipAsked
	case facts.NoGuests != "":
		return nil, facts.NoGuests
	}
	for _, step := range []struct {
		on   bool
		text string
	}{
		{f.Fstab, "give disks in /etc/fstab and its like stable names (" + f.FstabMode + ")"},
		{f.Grub, "repair the boot loader's configuration, and see to the fallback loader of UEFI"},
		{f.SerialConsole, "let the kernels talk on the serial port"},
		{f.Network, "keep the names and addresses of network interfaces (" + f.NetworkLevel + ")"},
		{f.RemoveVMwareTools, "remove the tools of other hypervisors, or keep them from starting"},
		{f.Initramfs, "open the initramfs of every kernel, and rebuild those that lack virtio"},
		{f.Compact, "give back what the file systems do not use"},
	} {
		if step.on {
			steps = append(steps, step.text)
		}
	}
	return steps, ""
}

func loadSteps(facts Facts) []string {
	var steps []string
	for _, d := range facts.Disks {
		steps = append(steps, d.step())
	}
	for _, name := range facts.Verify {
		steps = append(steps, "verify the checksum of "+name)
	}
	return steps
}

func validateSteps(job manifest.Job, facts Facts) []string {
	var steps []string
	if checksStructure(job) {
		steps = append(steps, "open the images again and check their structure")
	}
	steps = append(steps, "read the images back and compare their content with the source's")
	if job.Check.Enabled && looksInto(job) && facts.NoGuests == "" {
		steps = append(steps, "look over the guest in the images: file systems, virtio drivers, nothing left to repair")
		if job.Check.BootTest && facts.NoBoot == "" {
			steps = append(steps, "start the VM on a throw-away copy and watch it come up")
		}
	}
	return append(steps, "write "+domainName(job.Name)+" and "+reportName)
}

// checksStructure reports whether VALIDATE looks at more than the content.
func checksStructure(job manifest.Job) bool { return job.Check.Enabled && job.Check.Integrity }
