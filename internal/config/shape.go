package config

import (
	"time"

	sy "hyper2kvm/internal/strictyaml"
)

// Limits of the settings.
const (
	// MaxMaxJobs is how many jobs may run at the same time: far more than any host's storage serves well.
	MaxMaxJobs = 256
	// MinPoll is the shortest poll interval: below it the daemon does nothing but look.
	MinPoll = 100 * time.Millisecond
	// maxRoots is how many import roots, output roots and operators there may be.
	maxRoots = 256
	// maxNetworks is how many networks may be mapped: every port group of a large site.
	maxNetworks = 1024
	// maxGuestMemory is 16 TiB in MiB: more than any host has.
	maxGuestMemory = 16 << 20
	// minBoot is the shortest time that a boot test makes sense with.
	minBoot = 10 * time.Second
)

// Field is one key of the file, for people.
type Field struct {
	Path    string // dotted
	Type    string
	Values  []string
	Default string
	Text    string
}

// Fields returns every key of the file in the order of the documentation.
func Fields() []Field {
	var fields []Field
	shape.Walk(func(path string, f *sy.Field) {
		fields = append(fields, Field{Path: path, Type: string(f.Type), Values: f.Values, Default: f.Default, Text: f.Text})
	})
	return fields
}

var shape = &sy.Shape{
	Fields: []sy.Field{
		{Key: "command", Type: sy.TypeWord, Values: []string{"daemon"}, Text: "Accepted; this program is the daemon."},
		{Key: "workflow_mode", Type: sy.TypeBool, Text: "Accepted when true; the daemon has no other mode of work."},
		{Key: "mode", Type: sy.TypeWord, Values: []string{ModeDisk, ModeManifest}, Default: ModeDisk,
			Text: "disk: a disk dropped alone is a job. manifest: disks wait for a manifest that names them."},
		{Key: "workflow", Type: sy.TypeMap, Text: "Another place for three of the settings.", Of: &sy.Shape{Fields: []sy.Field{
			{Key: "base_dir", Type: sy.TypeText, Text: "The same as workflow_dir."},
			{Key: "max_workers", Type: sy.TypeInt, Min: 1, Max: MaxMaxJobs, Text: "The same as max_concurrent_jobs."},
			{Key: "poll_interval", Type: sy.TypeDuration, Text: "The same as poll_interval at the top."},
		}}},
		{Key: "workflow_dir", Type: sy.TypeText, Default: DefaultWorkflowDir, Text: "The directory with to_be_processed/ in it; in mode manifest " + DefaultManifestWorkflowDir + "."},
		{Key: "output_dir", Type: sy.TypeText, Default: DefaultOutputDir, Text: "Where results go, by date and name of the VM."},
		{Key: "max_concurrent_jobs", Type: sy.TypeInt, Min: 1, Max: MaxMaxJobs, Default: "3", Text: "Jobs that run at the same time."},
		{Key: "poll_interval", Type: sy.TypeDuration, Default: "2s", Text: "Time between two looks at the drop zone, beside what the kernel reports at once."},
		{Key: "settle", Type: sy.TypeDuration, Default: "2s", Text: "How long a copied file must have been quiet."},
		{Key: "timed_settle", Type: sy.TypeDuration, Default: "60s", Text: "The same where the file system cannot tell whether a file is being written."},
		{Key: "missing_timeout", Type: sy.TypeDuration, Default: "24h", Text: "How long a manifest waits for the files that it names."},
		{Key: "truncated_grace", Type: sy.TypeDuration, Default: "10m", Text: "How long an image that ends early waits for the rest, then fails."},
		{Key: "stop_timeout", Type: sy.TypeDuration, Default: "60s", Text: "How long running jobs may go on after the daemon was told to stop."},
		{Key: "stall_timeout", Type: sy.TypeDuration, Default: "30m", Text: "A job that makes no progress for this long is ended."},
		{Key: "log_file", Type: sy.TypeText, Text: "A file for the log, beside standard error."},
		{Key: "log_level", Type: sy.TypeWord, Values: []string{"debug", "info", "warn", "error"}, Default: "info", Text: "How much is logged."},
		{Key: "import_roots", Type: sy.TypeTexts, Max: maxRoots, Text: "Directories that anybody's manifest may name sources in."},
		{Key: "output_roots", Type: sy.TypeTexts, Max: maxRoots, Text: "Directories that anybody's manifest may name outputs in."},
		{Key: "operators", Type: sy.TypeTexts, Max: maxRoots, Text: "Users who may cancel, retry and release the jobs of others, pause and drain; @NAME is a whole group."},
		{Key: "out_format", Type: sy.TypeWord, Values: []string{"qcow2", "raw", "vdi", "vmdk"}, Default: "qcow2", Text: "Format of the images that are written."},
		{Key: "compress", Type: sy.TypeBool, Default: "true", Text: "Compress images; qcow2 only."},
		{Key: "compression", Type: sy.TypeWord, Values: []string{"zlib", "zstd"}, Default: "zlib", Text: "Method of compression."},
		{Key: "compress_level", Type: sy.TypeInt, Min: 1, Max: 19, Text: "How hard to compress: 1 to 9 for zlib, 1 to 19 for zstd."},
		{Key: "flatten", Type: sy.TypeBool, Default: "true", Text: "Write a chain of snapshots as one image."},
		{Key: "inspect", Type: sy.TypeBool, Default: "true", Text: "Look into guests."},
		{Key: "fix", Type: sy.TypeBool, Default: "true", Text: "Repair guests; false switches all repairs off."},
		{Key: "fstab_mode", Type: sy.TypeWord, Values: []string{"stabilize-all", "bypath-only", "noop"}, Default: "stabilize-all", Text: "What /etc/fstab gets."},
		{Key: "regen_initramfs", Type: sy.TypeBool, Default: "true", Text: "Rebuild the initramfs with virtio drivers."},
		{Key: "fix_grub", Type: sy.TypeBool, Default: "true", Text: "Repair the boot loader's configuration."},
		{Key: "fix_network", Type: sy.TypeBool, Default: "true", Text: "Repair the guest's network settings."},
		{Key: "network_fix_level", Type: sy.TypeWord, Values: []string{"conservative", "moderate", "aggressive", "full"}, Default: "moderate",
			Text: "How far network settings are changed; full is read as aggressive."},
		{Key: "remove_vmware_tools", Type: sy.TypeBool, Default: "true", Text: "Remove VMware Tools from guests."},
		{Key: "validate", Type: sy.TypeBool, Default: "true", Text: "Check results beyond the proof of their content."},
		{Key: "boot_test", Type: sy.TypeBool, Default: "false", Text: "Start each converted VM for a moment and watch it boot."},
		{Key: "serial_console", Type: sy.TypeBool, Default: "false", Text: "Let guests' kernels talk on the serial port too."},
		{Key: "compact", Type: sy.TypeBool, Default: "true", Text: "Leave out what guests' file systems do not use."},
		{Key: "network_map", Type: sy.TypeLabels, Max: maxNetworks,
			Text: "What stands for each source network: network:NAME of libvirt, or bridge:NAME of the host. The key * is for all others."},
		{Key: "guest_memory_mb", Type: sy.TypeInt, Min: 0, Max: maxGuestMemory, Default: "0",
			Text: "Memory in MiB that appliances and boot tests of all jobs may use together; 0 is half of the host's."},
		{Key: "boot_timeout", Type: sy.TypeDuration, Default: "5m", Text: "How long a boot test may take where KVM works; three times as long where it does not."},
		{Key: "agent_packages", Type: sy.TypeText, Text: "Directory with deb and rpm packages of qemu-guest-agent; the one that fits is installed in guests."},
		{Key: "sandbox", Type: sy.TypeBool, Default: "true",
			Text: "Confine the process of each job to the files of the job, without network, as far as the kernel can."},
		{Key: "output_owner", Type: sy.TypeText, Text: "User, or number of one, who gets the files of results."},
		{Key: "output_group", Type: sy.TypeText, Text: "Group, or number of one, that gets the files of results."},
		{Key: "output_mode", Type: sy.TypeText, Default: `"0640"`, Text: "Permissions of the files of results, in octal."},
		{Key: "output_label", Type: sy.TypeText, Text: "SELinux context of the files of results; else what the host's policy gives."},
		{Key: "retention_age", Type: sy.TypeDuration, Default: "0",
			Text: "Remove sources from processed/ this long after their jobs were done; 0 keeps them. Records and results stay."},
		{Key: "retention_count", Type: sy.TypeInt, Min: 0, Max: maxRetained, Default: "0", Text: "Keep only so many sources in processed/, the newest; 0 keeps all."},
		{Key: "retention_free", Type: sy.TypeText, Default: `"0"`,
			Text: "Remove the oldest sources from processed/ while less than this is free, as in 50GiB; none younger than a day. 0 keeps them."},
		{Key: "retention_records", Type: sy.TypeDuration, Default: "0",
			Text: "Remove records and logs of jobs whose sources are gone this long after the jobs ended; 0 keeps them."},
		{Key: "retention_failed", Type: sy.TypeBool, Default: "false", Text: "Let retention reach failed/ too; a failed job goes with its record."},
		{Key: "webhook_url", Type: sy.TypeText, Text: "Address that is told of jobs that end: https, or http of this machine."},
		{Key: "webhook_events", Type: sy.TypeTexts, Max: maxEvents, Text: "Which of success, failure and stall it is told of; all of them where nothing is said."},
		{Key: "webhook_secret_file", Type: sy.TypeText, Text: "File with the secret that calls are signed with (HMAC-SHA256)."},
	},
	Instead: map[string]string{
		"output_format": `did you mean "out_format"?`, "format": `did you mean "out_format"?`, "base_dir": `did you mean "workflow_dir"?`,
		"max_workers": `did you mean "max_concurrent_jobs"?`, "workers": `did you mean "max_concurrent_jobs"?`, "jobs": `did you mean "max_concurrent_jobs"? VMs belong in a manifest`,
		"input": "a VM belongs in a manifest; drop it into to_be_processed/", "version": "this looks like a manifest; drop it into to_be_processed/",
		"pipeline": "this looks like a manifest; drop it into to_be_processed/", "manifest_version": "this looks like a manifest; drop it into to_be_processed/",
		"watch_dir": `did you mean "workflow_dir"?`, "daemon": "remove it; this program is the daemon",
	},
}
