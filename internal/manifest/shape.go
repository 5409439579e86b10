package manifest

import (
	"math"

	sy "hyper2kvm/internal/strictyaml"
)

// Limits of what a manifest may list.
const (
	// MaxVMs is how many VMs a batch may have: a large wave of a migration; each becomes a job of its own.
	MaxVMs = 1000
	// MaxDisks is how many disks a VM may have: four times what one SCSI controller takes.
	MaxDisks = 64
	// MaxNICs is how many network cards a VM may have; vSphere and Hyper-V allow 10 and 12.
	MaxNICs = 32
	// MaxNetworks is how many networks may be mapped: every port group of a large site.
	MaxNetworks = 1024
	// MaxTags is how many labels a VM may have.
	MaxTags = 64
	// maxNotes is how many notes and export warnings are carried along.
	maxNotes = 1000
	// maxCPUs and maxMemGB bound what is plausible for one machine: what KVM runs at most.
	maxCPUs  = 4096
	maxMemGB = 64 << 10
)

// words that keys take.
var (
	outputFormats = []string{FormatQcow2, FormatRaw, FormatVDI, FormatVMDK}
	imageFormats  = []string{"vmdk", "qcow2", "raw", "img", "vhd", "vhdx", "vdi"}
	fstabModes    = []string{FstabStabilizeAll, FstabBypathOnly, FstabNoop}
	networkLevels = []string{NetworkConservative, NetworkModerate, NetworkAggressive, "full"}
	compressions  = []string{CompressionZlib, CompressionZstd}
)

// The fields that several dialects share under the same or another key.
func formatField(key string) sy.Field {
	return sy.Field{Key: key, Type: sy.TypeWord, Values: outputFormats, Default: "qcow2", Text: "Format of the images that are written."}
}

func compressFields() []sy.Field {
	return []sy.Field{
		{Key: "compress", Type: sy.TypeBool, Default: "true", Text: "Compress the image; qcow2 only."},
		{Key: "compression", Type: sy.TypeWord, Values: compressions, Default: "zlib", Text: "Method of compression; qcow2 only."},
		{Key: "compress_level", Type: sy.TypeInt, Min: 1, Max: 19, Text: "How hard to compress: 1 to 9 for zlib, 1 to 19 for zstd; else the method's own level."},
		{Key: "flatten", Type: sy.TypeBool, Default: "true", Text: "Write a chain of snapshots as one image; false refuses a chain."},
	}
}

func fstabModeField(key string) sy.Field {
	return sy.Field{Key: key, Type: sy.TypeWord, Values: fstabModes, Default: FstabStabilizeAll,
		Text: "What /etc/fstab gets: stabilize-all gives every device its UUID, bypath-only only those named by path, noop nothing."}
}

func networkLevelField(key string) sy.Field {
	return sy.Field{Key: key, Type: sy.TypeWord, Values: networkLevels, Default: NetworkModerate,
		Text: "How far the guest's network settings are changed; full is read as aggressive."}
}

func enabledField(text string) sy.Field {
	return sy.Field{Key: "enabled", Type: sy.TypeBool, Default: "true", Text: text}
}

func checksumField() sy.Field {
	return sy.Field{Key: "checksum", Type: sy.TypeText, Text: "Checksum of the file that the source names, as in sha256:<64 hexadecimal digits>; it is verified."}
}

func removeToolsField() sy.Field {
	return sy.Field{Key: "remove_vmware_tools", Type: sy.TypeBool, Default: "true", Text: "Remove VMware Tools from the guest, or keep it from starting."}
}

// guestFields are those of FIX that every dialect has under the same key.
func guestFields() []sy.Field {
	return []sy.Field{
		{Key: "serial_console", Type: sy.TypeBool, Default: "false", Text: "Let the guest's kernels talk on the serial port too."},
		{Key: "compact", Type: sy.TypeBool, Default: "true", Text: "Leave out what the guest's file systems do not use."},
		{Key: "key_file", Type: sy.TypeText, Text: "A file with the passphrases of encrypted disks, a line each; its plain name beside the manifest, or an absolute path."},
	}
}

func backupField() sy.Field {
	return sy.Field{Key: "backup", Type: sy.TypeBool, Text: "Accepted; the source is never written, so it is its own backup."}
}

func requireBootField() sy.Field {
	return sy.Field{Key: "require_boot", Type: sy.TypeBool, Default: "false", Text: "A failed boot test fails the job."}
}

func bootTestField() sy.Field {
	return sy.Field{Key: "boot_test", Type: sy.TypeBool, Default: "false", Text: "Start the converted VM for a moment and watch it boot."}
}

func schemaField() sy.Field {
	return sy.Field{Key: "$schema", Type: sy.TypeText, Text: "Schema for editors; means nothing to the program."}
}

func nameField(required bool, text string) sy.Field {
	return sy.Field{Key: "name", Type: sy.TypeText, Required: required, Text: text}
}

func tagsField() sy.Field {
	return sy.Field{Key: "tags", Type: sy.TypeLabels, Max: MaxTags, Text: "Labels of your own; they stand in the report."}
}

// vmFields describe the machine, in every dialect.
func vmFields() []sy.Field {
	return []sy.Field{
		{Key: "vm", Type: sy.TypeMap, Text: "The machine, where no OVF or VMX describes it.", Of: &sy.Shape{
			Fields: []sy.Field{
				{Key: "cpu", Type: sy.TypeInt, Min: 0, Max: maxCPUs, Text: "Number of virtual CPUs; 0 is not said."},
				{Key: "mem_gb", Type: sy.TypeInt, Min: 0, Max: maxMemGB, Text: "Memory in GiB; 0 is not said."},
				{Key: "mem_mb", Type: sy.TypeInt, Min: 0, Max: maxMemGB << 10, Text: "Memory in MiB, for machines that are not whole GiB; instead of mem_gb."},
				{Key: "firmware", Type: sy.TypeWord, Values: []string{"bios", "uefi", "efi", "unknown"}, Text: "Firmware; efi is read as uefi."},
				{Key: "secureboot", Type: sy.TypeBool, Text: "Secure Boot is on."},
				{Key: "os_hint", Type: sy.TypeWord, Values: []string{"linux", "windows", "unknown"}, Text: "Family of the guest system."},
				{Key: "os_version", Type: sy.TypeText, Text: "The guest system in words."},
			},
			Instead: map[string]string{
				"secure_boot": `did you mean "secureboot"?`, "cpus": `did you mean "cpu"?`, "vcpus": `did you mean "cpu"?`,
				"memory": `did you mean "mem_gb" or "mem_mb"?`, "mem_mib": `did you mean "mem_mb"?`, "mem_gib": `did you mean "mem_gb"?`,
				"memory_gb": `did you mean "mem_gb"?`, "memory_mb": `did you mean "mem_mb"?`,
			},
		}},
		{Key: "nics", Type: sy.TypeList, Max: MaxNICs, Text: "The network cards, where no OVF or VMX describes them.", Of: &sy.Shape{
			Fields: []sy.Field{
				{Key: "id", Type: sy.TypeText, Text: "A name for the card."},
				{Key: "mac", Type: sy.TypeText, Text: "Hardware address, as in 00:50:56:ab:cd:ef."},
				{Key: "network", Type: sy.TypeText, Text: "Network that the card was connected to."},
			},
		}},
		{Key: "network_map", Type: sy.TypeLabels, Max: MaxNetworks,
			Text: "What stands for each source network: network:NAME of libvirt, or bridge:NAME of the host. The key * is for all others."},
	}
}

// optionsField is the options block of the artifact manifest, which the pipeline manifest may have as well.
func optionsField() sy.Field {
	return sy.Field{Key: "options", Type: sy.TypeMap, Text: "How the job runs.", Of: &sy.Shape{Fields: []sy.Field{
		{Key: "dry_run", Type: sy.TypeBool, Default: "false", Text: "Plan and report, convert nothing."},
		{Key: "verbose", Type: sy.TypeInt, Min: 0, Max: 3, Text: "Accepted; the log of a job is always complete."},
		{Key: "report", Type: sy.TypeMap, Text: "Accepted; report.json is always written.", Of: &sy.Shape{Fields: []sy.Field{
			{Key: "enabled", Type: sy.TypeBool, Default: "true", Text: "Accepted; a report is always written."},
			{Key: "path", Type: sy.TypeText, Default: "report.json", Text: "Accepted; the report is report.json beside the images."},
		}}},
	}}}
}

// jobFields are the keys of one VM in a job config.
func jobFields(inList bool) []sy.Field {
	fields := []sy.Field{
		{Key: "input", Type: sy.TypeTexts, Required: inList, Max: MaxDisks,
			Text: "The source: plain name of a file beside the manifest, or an absolute path. A list is several disks of one VM, the boot disk first."},
		{Key: "input_format", Type: sy.TypeWord, Values: sourceTypes, Text: "What the source is; it is checked against the content."},
		checksumField(),
		nameField(false, "Name of the VM; else the input's file name without its extension."),
		formatField("output_format"),
		{Key: "output_dir", Type: sy.TypeText, Text: "Absolute directory for the result; else the daemon's output directory, by date and name."},
		{Key: "output_name", Type: sy.TypeText, Text: "File name of the first image; else the VM's name."},
	}
	fields = append(fields, compressFields()...)
	fields = append(fields,
		sy.Field{Key: "inspect", Type: sy.TypeBool, Default: "true", Text: "Look into the guest."},
		sy.Field{Key: "fix", Type: sy.TypeBool, Default: "true", Text: "Repair the guest; false switches all repairs off."},
		fstabModeField("fstab_mode"),
		sy.Field{Key: "regen_initramfs", Type: sy.TypeBool, Default: "true", Text: "Rebuild the initramfs with virtio drivers."},
		sy.Field{Key: "fix_grub", Type: sy.TypeBool, Default: "true", Text: "Repair the boot loader's configuration."},
		sy.Field{Key: "fix_network", Type: sy.TypeBool, Default: "true", Text: "Repair the guest's network settings."},
		networkLevelField("network_fix_level"),
		removeToolsField(),
	)
	fields = append(fields, guestFields()...)
	fields = append(fields,
		sy.Field{Key: "validate", Type: sy.TypeBool, Default: "true", Text: "Check the result beyond the proof of its content."},
		bootTestField(), requireBootField(),
		sy.Field{Key: "dry_run", Type: sy.TypeBool, Default: "false", Text: "Plan and report, convert nothing."},
		tagsField(),
	)
	return append(fields, vmFields()...)
}

var jobInstead = map[string]string{
	"out_format": `did you mean "output_format"?`, "format": `did you mean "output_format"?`, "target_format": `did you mean "output_format"?`,
	"source": `did you mean "input"?`, "source_path": `did you mean "input"?`, "disk": `did you mean "input"?`, "inputs": `did you mean "input"?`,
	"output": `did you mean "output_dir" and "output_name"?`, "output_path": `did you mean "output_dir" and "output_name"?`,
	"regenerate_initramfs": `did you mean "regen_initramfs"?`, "update_grub": `did you mean "fix_grub"?`, "fix_fstab": `did you mean "fstab_mode"?`,
	"fix_level": `did you mean "network_fix_level"?`, "compression_level": `did you mean "compress_level"?`,
	"test_boot": `did you mean "boot_test"?`, "labels": `did you mean "tags"?`,
}

// jobShape is the job config: one VM, or a list of them under jobs with keys that hold for all.
var jobShape = &sy.Shape{
	Fields: append([]sy.Field{
		schemaField(),
		{Key: "jobs", Type: sy.TypeList, Min: 1, Max: MaxVMs, Of: &sy.Shape{Fields: jobFields(true), Instead: jobInstead},
			Text: "Several VMs, each a job of its own. Keys beside jobs hold for all; a job's own key replaces them."},
	}, jobFields(false)...),
	Instead: jobInstead,
}

// pipelineField is the pipeline block of the pipeline manifest.
func pipelineField(required bool) sy.Field {
	convert := append([]sy.Field{formatField("output_format")}, compressFields()...)
	convert = append(convert, sy.Field{Key: "output_path", Type: sy.TypeText,
		Text: "Where the first image goes: an absolute path, a file name, or a directory with a slash at its end."})
	return sy.Field{Key: "pipeline", Type: sy.TypeMap, Required: required, Text: "What happens to the VM, stage by stage.", Of: &sy.Shape{
		Fields: []sy.Field{
			{Key: "load", Type: sy.TypeMap, Required: true, Text: "LOAD: the source.", Of: &sy.Shape{Fields: []sy.Field{
				{Key: "source_type", Type: sy.TypeWord, Values: sourceTypes, Text: "What the source is; it is checked against the content."},
				{Key: "source_path", Type: sy.TypeTexts, Required: true, Max: MaxDisks,
					Text: "The source: plain name of a file beside the manifest, or an absolute path. A list is several disks of one VM, the boot disk first."},
				checksumField(),
			}, Instead: map[string]string{"path": `did you mean "source_path"?`, "type": `did you mean "source_type"?`, "input": `did you mean "source_path"?`}}},
			{Key: "inspect", Type: sy.TypeMap, Text: "INSPECT: look into the guest.", Of: &sy.Shape{Fields: []sy.Field{
				enabledField("Look into the guest."),
				{Key: "detect_os", Type: sy.TypeBool, Default: "true", Text: "Find out the guest's system."},
			}, Instead: map[string]string{"detect_kernel": "kernels are always looked for"}}},
			{Key: "fix", Type: sy.TypeMap, Text: "FIX: repair the guest.", Of: &sy.Shape{Fields: append([]sy.Field{
				enabledField("Repair the guest; false switches all repairs off."),
				{Key: "fstab", Type: sy.TypeMap, Text: "/etc/fstab.", Of: &sy.Shape{Fields: []sy.Field{
					enabledField("Repair /etc/fstab."), fstabModeField("mode")}}},
				{Key: "grub", Type: sy.TypeMap, Text: "The boot loader.", Of: &sy.Shape{Fields: []sy.Field{
					enabledField("Repair the boot loader's configuration.")}}},
				{Key: "initramfs", Type: sy.TypeMap, Text: "The initramfs.", Of: &sy.Shape{Fields: []sy.Field{
					enabledField("Repair the initramfs."),
					{Key: "regenerate", Type: sy.TypeBool, Default: "true", Text: "Rebuild it with virtio drivers; false leaves it as it is."}}}},
				{Key: "network", Type: sy.TypeMap, Text: "The guest's network settings.", Of: &sy.Shape{Fields: []sy.Field{
					enabledField("Repair the guest's network settings."), networkLevelField("fix_level")}}},
				removeToolsField(), backupField(),
			}, guestFields()...), Instead: map[string]string{
				"inject_drivers": "virtio drivers are always seen to by initramfs", "fix_fstab": `did you mean "fstab"?`, "fstab_mode": `did you mean "fstab: {mode: ...}"?`,
				"fix_grub": `did you mean "grub"?`, "update_grub": `did you mean "grub"?`, "regen_initramfs": `did you mean "initramfs"?`,
				"regenerate_initramfs": `did you mean "initramfs"?`, "fix_network": `did you mean "network"?`,
			}}},
			{Key: "convert", Type: sy.TypeMap, Text: "CONVERT: write the images.", Of: &sy.Shape{Fields: convert, Instead: map[string]string{
				"target_format": `did you mean "output_format"?`, "format": `did you mean "output_format"?`, "out_format": `did you mean "output_format"?`,
				"output_dir": `did you mean "output_path"?`, "level": `did you mean "compress_level"?`,
			}}},
			{Key: "validate", Type: sy.TypeMap, Text: "VALIDATE: check the result.", Of: &sy.Shape{Fields: []sy.Field{
				enabledField("Check the result beyond the proof of its content."),
				{Key: "check_image_integrity", Type: sy.TypeBool, Default: "true", Text: "Check the structure of the images."},
				bootTestField(), requireBootField(),
			}, Instead: map[string]string{"test_boot": `did you mean "boot_test"?`, "verify_checksum": `did you mean "pipeline.load.checksum"?`}}},
		},
		Instead: map[string]string{"stages": "write the stages by name: load, inspect, fix, convert, validate", "hooks": "hooks are not run"},
	}}
}

// pipelineShape is the pipeline manifest v1.0: one VM under pipeline, or several under vms.
var pipelineShape = &sy.Shape{Fields: append([]sy.Field{
	schemaField(),
	{Key: "version", Type: sy.TypeVersion, Required: true, Text: "Version of the format."},
	nameField(false, "Name of the VM, or of the batch; else the source's file name without its extension."),
	{Key: "batch", Type: sy.TypeBool, Default: "false", Text: "The VMs are under vms."},
	pipelineField(false),
	{Key: "vms", Type: sy.TypeList, Min: 1, Max: MaxVMs, Text: "Several VMs, each a job of its own.", Of: &sy.Shape{Fields: append([]sy.Field{
		nameField(true, "Name of the VM."),
		pipelineField(true), optionsField(), tagsField(),
	}, vmFields()...)}},
	optionsField(), tagsField(),
}, vmFields()...), Instead: map[string]string{"dry_run": `did you mean "options: {dry_run: true}"?`, "labels": `did you mean "tags"?`,
	"load": `did you mean "pipeline: {load: ...}"?`, "stages": "write the stages by name under pipeline", "hooks": "hooks are not run"}}

// artifactShape is the artifact manifest v1.0.
var artifactShape = &sy.Shape{Fields: append([]sy.Field{
	schemaField(),
	{Key: "manifest_version", Type: sy.TypeVersion, Required: true, Text: "Version of the format."},
	{Key: "source", Type: sy.TypeMap, Text: "Where the VM came from; it stands in the report.", Of: &sy.Shape{Fields: []sy.Field{
		{Key: "provider", Type: sy.TypeText, Required: true, Text: "Platform, as in vsphere, hyperv, aws."},
		{Key: "vm_id", Type: sy.TypeText, Text: "The platform's key of the VM."},
		{Key: "vm_name", Type: sy.TypeText, Text: "The platform's name of the VM; it becomes the VM's name."},
		{Key: "datacenter", Type: sy.TypeText, Text: "Datacenter of the VM."},
		{Key: "export_timestamp", Type: sy.TypeTime, Text: "When it was exported."},
		{Key: "export_method", Type: sy.TypeText, Text: "How it was exported, as in ovftool."},
	}}},
	{Key: "disks", Type: sy.TypeList, Required: true, Min: 1, Max: MaxDisks, Text: "The VM's disks.", Of: &sy.Shape{Fields: []sy.Field{
		{Key: "id", Type: sy.TypeText, Required: true, Text: "A name for the disk: letters, digits, _ and -."},
		{Key: "source_format", Type: sy.TypeWord, Required: true, Values: imageFormats, Text: "Format of the image; it is checked against the content."},
		{Key: "bytes", Type: sy.TypeInt, Min: 0, Max: math.MaxInt64, Text: "Size of the disk or of its file; 0 is not said."},
		{Key: "local_path", Type: sy.TypeText, Required: true, Text: "The image: plain name of a file beside the manifest, or an absolute path."},
		checksumField(),
		{Key: "boot_order_hint", Type: sy.TypeInt, Min: 0, Max: math.MaxInt32, Text: "The disk with the lowest number boots."},
		{Key: "label", Type: sy.TypeText, Text: "A name for people."},
		{Key: "disk_type", Type: sy.TypeWord, Values: []string{"boot", "data", "unknown"}, Default: "unknown", Text: "What the disk is for."},
	}, Instead: map[string]string{"path": `did you mean "local_path"?`, "format": `did you mean "source_format"?`, "size": `did you mean "bytes"?`}}},
	{Key: "notes", Type: sy.TypeTextList, Max: maxNotes, Text: "Notes of the export; they stand in the report."},
	{Key: "warnings", Type: sy.TypeList, Max: maxNotes, Text: "Warnings of the export; they stand in the report.", Of: &sy.Shape{Fields: []sy.Field{
		{Key: "stage", Type: sy.TypeText, Text: "Where it was warned."},
		{Key: "message", Type: sy.TypeText, Text: "The warning."},
		{Key: "timestamp", Type: sy.TypeTime, Text: "When."},
	}}},
	{Key: "metadata", Type: sy.TypeMap, Text: "About the manifest; it stands in the report.", Of: &sy.Shape{Fields: []sy.Field{
		{Key: "hypersdk_version", Type: sy.TypeText, Text: "Version of the program that wrote the manifest."},
		{Key: "job_id", Type: sy.TypeText, Text: "Its job."},
		{Key: "created_at", Type: sy.TypeTime, Text: "When it wrote the manifest."},
		tagsField(),
	}}},
	{Key: "pipeline", Type: sy.TypeMap, Text: "What happens to the VM, stage by stage.", Of: &sy.Shape{Fields: []sy.Field{
		{Key: "inspect", Type: sy.TypeMap, Text: "INSPECT: look into the guest.", Of: &sy.Shape{Fields: []sy.Field{
			enabledField("Look into the guest."),
			{Key: "collect_guest_info", Type: sy.TypeBool, Default: "true", Text: "Find out the guest's system."},
		}, Instead: map[string]string{"detect_os": `did you mean "collect_guest_info"?`, "detect_kernel": `did you mean "collect_guest_info"?`}}},
		{Key: "fix", Type: sy.TypeMap, Text: "FIX: repair the guest.", Of: &sy.Shape{Fields: append([]sy.Field{
			enabledField("Repair the guest; false switches all repairs off."),
			backupField(),
			{Key: "print_fstab", Type: sy.TypeBool, Text: "Accepted; the report has every change in full."},
			{Key: "update_grub", Type: sy.TypeBool, Default: "true", Text: "Repair the boot loader's configuration."},
			{Key: "regen_initramfs", Type: sy.TypeBool, Default: "true", Text: "Rebuild the initramfs with virtio drivers."},
			fstabModeField("fstab_mode"), removeToolsField(),
		}, guestFields()...), Instead: map[string]string{
			"inject_drivers": "virtio drivers are always seen to by regen_initramfs", "fix_fstab": `did you mean "fstab_mode"?`, "fstab": `did you mean "fstab_mode"?`,
			"fix_grub": `did you mean "update_grub"?`, "grub": `did you mean "update_grub"?`, "regenerate_initramfs": `did you mean "regen_initramfs"?`,
			"initramfs": `did you mean "regen_initramfs"?`, "network": "the artifact manifest has no network repair; a pipeline manifest has",
		}}},
		{Key: "convert", Type: sy.TypeMap, Text: "CONVERT: write the images.", Of: &sy.Shape{Fields: append([]sy.Field{
			enabledField("Must be true; options.dry_run converts nothing."),
		}, compressFields()...), Instead: map[string]string{
			"target_format": `did you mean "output.format"?`, "output_format": `did you mean "output.format"?`, "output_dir": `did you mean "output.directory"?`,
			"output_path": `did you mean "output.directory" and "output.filename"?`,
		}}},
		{Key: "validate", Type: sy.TypeMap, Text: "VALIDATE: check the result.", Of: &sy.Shape{Fields: []sy.Field{
			enabledField("Check the result beyond the proof of its content."),
			{Key: "check_image_integrity", Type: sy.TypeBool, Default: "true", Text: "Check the structure of the images."},
			bootTestField(), requireBootField(),
		}, Instead: map[string]string{"test_boot": `did you mean "boot_test"?`, "verify_checksum": `did you mean "disks[].checksum"?`}}},
	}, Instead: map[string]string{"load": "the artifact manifest names its sources under disks", "stages": "write the stages by name: inspect, fix, convert, validate", "hooks": "hooks are not run"}}},
	{Key: "configuration", Type: sy.TypeMap, Text: "Accepted and not applied: the guest's users, services and names are left as they are.", Of: &sy.Shape{Fields: []sy.Field{
		{Key: "users", Type: sy.TypeAny, Text: "Not applied."},
		{Key: "services", Type: sy.TypeAny, Text: "Not applied."},
		{Key: "hostname", Type: sy.TypeAny, Text: "Not applied."},
		{Key: "network", Type: sy.TypeAny, Text: "Not applied."},
	}}},
	{Key: "output", Type: sy.TypeMap, Text: "Where the result goes.", Of: &sy.Shape{Fields: []sy.Field{
		{Key: "directory", Type: sy.TypeText, Text: "Absolute directory for the result; else the daemon's output directory, by date and name."},
		{Key: "filename", Type: sy.TypeText, Text: "File name of the first image; else the VM's name."},
		formatField("format"),
	}, Instead: map[string]string{"path": `did you mean "directory"?`, "output_format": `did you mean "format"?`, "name": `did you mean "filename"?`}}},
	optionsField(),
}, vmFields()...), Instead: map[string]string{"version": `did you mean "manifest_version"?`, "tags": `did you mean "metadata: {tags: ...}"?`,
	"dry_run": `did you mean "options: {dry_run: true}"?`}}
