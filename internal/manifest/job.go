package manifest

import "time"

// Dialect names the form a manifest was written in.
type Dialect string

// The dialects. A lone disk, folder or OVF package that came without a manifest has DialectNone.
const (
	DialectNone      Dialect = ""
	DialectJobConfig Dialect = "job-config" // input:, output_format: ... or a list under jobs:
	DialectPipeline  Dialect = "pipeline"   // version: "1.0" with pipeline:, or batch: true with vms:
	DialectArtifact  Dialect = "artifact"   // manifest_version: "1.0" with disks:
)

// Output formats, fstab modes and network fix levels that a Job may hold.
const (
	FormatQcow2 = "qcow2"
	FormatRaw   = "raw"
	FormatVDI   = "vdi"
	FormatVMDK  = "vmdk"

	FstabStabilizeAll = "stabilize-all"
	FstabBypathOnly   = "bypath-only"
	FstabNoop         = "noop"

	NetworkConservative = "conservative"
	NetworkModerate     = "moderate"
	NetworkAggressive   = "aggressive"

	CompressionZlib = "zlib"
	CompressionZstd = "zstd"
)

// Job is one VM to convert, with every default resolved. It is what the daemon hands to the child that runs it.
type Job struct {
	Dialect Dialect `json:"dialect,omitempty"`
	Name    string  `json:"name"`            // VM name; becomes the output directory and the domain's name. Valid per ValidName
	Source  Source  `json:"source"`          //
	Machine Machine `json:"machine"`         // what the manifest itself says of the VM; empty fields come from OVF, VMX or defaults
	Inspect Inspect `json:"inspect"`         //
	Fix     Fix     `json:"fix"`             //
	Convert Convert `json:"convert"`         //
	Check   Check   `json:"validate"`        //
	DryRun  bool    `json:"dry_run"`         // plan and report, convert nothing
	Tags    Tags    `json:"tags,omitempty"`  // free labels, carried into the report
	Asked   Asked   `json:"asked,omitempty"` // which of the answers the job's own manifest gave, by field path
	Origin  Origin  `json:"origin,omitzero"` // free facts about where the VM came from, carried into the report
}

// Tags are free key-value labels.
type Tags map[string]string

// Origin is what a manifest says of the platform that exported the VM; informative only.
type Origin struct {
	Provider     string          `json:"provider,omitempty"`
	VMID         string          `json:"vm_id,omitempty"`
	VMName       string          `json:"vm_name,omitempty"`
	Datacenter   string          `json:"datacenter,omitempty"`
	ExportMethod string          `json:"export_method,omitempty"`
	ExportedAt   *time.Time      `json:"exported_at,omitempty"`
	ToolVersion  string          `json:"tool_version,omitempty"` // of the program that wrote the manifest
	ExportJob    string          `json:"export_job,omitempty"`   // its job
	CreatedAt    *time.Time      `json:"created_at,omitempty"`   // when it wrote the manifest
	Notes        []string        `json:"notes,omitempty"`
	Warnings     []OriginWarning `json:"warnings,omitempty"` // of the export
}

// OriginWarning is a warning that the exporting program left in the manifest.
type OriginWarning struct {
	Stage   string     `json:"stage,omitempty"`
	Message string     `json:"message,omitempty"`
	At      *time.Time `json:"at,omitempty"`
}

// Asked is the set of field paths that the job's own manifest set, as opposed to defaults. Only what was asked for can fail
// for want of a tool; a default is skipped with a warning. A path is there whatever the value: fix.grub after grub: false too.
// The paths are those of Job in JSON:
//
//	name, source.type, dry_run
//	machine.cpus, machine.memory_mib, machine.firmware, machine.secure_boot, machine.os_hint, machine.os_version, machine.nics,
//	machine.networks
//	inspect, inspect.detect_os
//	fix, fix.fstab, fix.fstab_mode, fix.grub, fix.initramfs, fix.network, fix.network_level, fix.remove_vmware_tools,
//	fix.serial_console, fix.compact, fix.key_file
//	convert.format, convert.compress, convert.compression, convert.level, convert.flatten, convert.output_dir, convert.output_name
//	validate, validate.integrity, validate.boot_test, validate.boot_require
type Asked map[string]bool

// Source says what to convert: the files, in the order in which the VM has its disks.
type Source struct {
	// Type is what the manifest says the source is (vmdk, ova, ovf, vhd, vhdx, raw, img, ami, qcow2, vdi, vmx); "" = find out.
	// It is checked against the content, never believed.
	Type string `json:"type,omitempty"`
	// Disks are the named files: a disk image each, or one OVA, OVF or VMX. At least one, except for a folder without manifest.
	Disks []SourceDisk `json:"disks"`
}

// SourceDisk is one named source file.
type SourceDisk struct {
	ID        string `json:"id,omitempty"`
	Path      string `json:"path"`                 // plain name beside the manifest, or absolute path
	Format    string `json:"format,omitempty"`     // stated format; "" = probe
	Bytes     int64  `json:"bytes,omitempty"`      // stated size of the file or of the disk; 0 = not stated
	SHA256    string `json:"sha256,omitempty"`     // of the file, 64 lower-case hexadecimal digits; "" = not stated
	BootOrder *int   `json:"boot_order,omitempty"` // lower boots first
	Role      string `json:"role,omitempty"`       // boot, data or ""
}

// Machine is what a manifest may say about the VM's hardware. Zero values mean not said.
type Machine struct {
	CPUs       int    `json:"cpus,omitempty"`
	MemoryMiB  int64  `json:"memory_mib,omitempty"`
	Firmware   string `json:"firmware,omitempty"` // bios or uefi
	SecureBoot *bool  `json:"secure_boot,omitempty"`
	OSHint     string `json:"os_hint,omitempty"` // linux, windows
	OSVersion  string `json:"os_version,omitempty"`
	NICs       []NIC  `json:"nics,omitempty"`
	// Networks says which libvirt network or bridge stands for a source network: "VM Network" to "network:default" or "bridge:br0".
	Networks map[string]string `json:"networks,omitempty"`
}

// NIC is a network card that a manifest names.
type NIC struct {
	ID      string `json:"id,omitempty"`
	MAC     string `json:"mac,omitempty"` // 00:50:56:ab:cd:ef, lower case
	Network string `json:"network,omitempty"`
}

// Inspect says whether and how the guest is looked at.
type Inspect struct {
	Enabled  bool `json:"enabled"`
	DetectOS bool `json:"detect_os"`
}

// Fix says which repairs the guest gets.
type Fix struct {
	Enabled           bool   `json:"enabled"` // false switches all of them off
	Fstab             bool   `json:"fstab"`
	FstabMode         string `json:"fstab_mode"`
	Grub              bool   `json:"grub"`
	Initramfs         bool   `json:"initramfs"`
	Network           bool   `json:"network"`
	NetworkLevel      string `json:"network_level"`
	RemoveVMwareTools bool   `json:"remove_vmware_tools"`
	SerialConsole     bool   `json:"serial_console"`     // the guest also talks on its serial port
	Compact           bool   `json:"compact"`            // free blocks of the guest's file systems are not converted
	KeyFile           string `json:"key_file,omitempty"` // passphrases of encrypted disks: plain name beside the manifest, or absolute path
}

// Convert says what is written.
type Convert struct {
	Format      string `json:"format"`                // one of the Format constants
	Compress    bool   `json:"compress"`              // qcow2 only
	Compression string `json:"compression,omitempty"` // zlib or zstd
	Level       int    `json:"level,omitempty"`       // 1..9 for zlib, 1..19 for zstd; 0 = the format's default
	Flatten     bool   `json:"flatten"`               // false on a chain is an error that says why
	OutputDir   string `json:"output_dir,omitempty"`  // absolute directory asked for; "" = OUT/<date>/<name>
	OutputName  string `json:"output_name,omitempty"` // file name asked for, of the first disk; "" = <name>.<format>
}

// Check says what is proved at the end.
type Check struct {
	Enabled     bool `json:"enabled"` // the content proof is always made; false leaves the rest out
	Integrity   bool `json:"integrity"`
	BootTest    bool `json:"boot_test"`
	BootRequire bool `json:"boot_require"` // a failed boot test fails the job
}

// Defaults are the answers for what a manifest leaves open: the product's, overlaid by the daemon's configuration.
type Defaults struct {
	Format       string
	Compress     bool
	Compression  string
	Level        int
	Flatten      bool
	FstabMode    string
	Grub         bool
	Initramfs    bool
	Network      bool
	NetworkLevel string
	RemoveTools  bool
	Serial       bool
	Compact      bool
	Networks     map[string]string // as in Machine; what a manifest says of a network replaces it
	Inspect      bool
	Fix          bool
	Validate     bool
	BootTest     bool
}

// ProductDefaults returns what holds where neither the manifest nor the configuration says anything: fstab stabilize-all,
// grub and initramfs on, network moderate, compact on, qcow2 with zlib, flatten on, validate on, boot test off.
func ProductDefaults() Defaults {
	return Defaults{
		Format: FormatQcow2, Compress: true, Compression: CompressionZlib, Flatten: true,
		FstabMode: FstabStabilizeAll, Grub: true, Initramfs: true, Network: true, NetworkLevel: NetworkModerate,
		RemoveTools: true, Compact: true, Inspect: true, Fix: true, Validate: true,
	}
}
