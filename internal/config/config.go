package config

import "time"

// The modes. In mode manifest a lone disk in the drop zone is left for a manifest to name; in mode disk it is a job.
const (
	ModeDisk     = "disk"
	ModeManifest = "manifest"
)

// Defaults of the settings that are places.
const (
	DefaultWorkflowDir         = "/var/lib/hyper2kvm/workflow"
	DefaultManifestWorkflowDir = "/var/lib/hyper2kvm/manifest-workflow"
	DefaultOutputDir           = "/var/lib/hyper2kvm/output"
)

// Config is every setting of the daemon.
type Config struct {
	Mode        string // disk or manifest
	WorkflowDir string // absolute; "" = the default of the mode, which Validate fills in
	OutputDir   string // absolute
	MaxJobs     int    // jobs that run at the same time, 1 to MaxMaxJobs

	PollInterval   time.Duration // between two looks at the drop zone, beside what the kernel reports
	Settle         time.Duration // a copied file must have been quiet for this long
	TimedSettle    time.Duration // the same where the file system cannot tell whether a file is being written
	MissingTimeout time.Duration // how long a manifest waits for the files that it names
	TruncatedGrace time.Duration // how long an image that ends early waits for the rest, since it was last written to
	StopTimeout    time.Duration // how long running jobs may go on after the daemon was told to stop
	StallTimeout   time.Duration // a job that makes no progress for this long is ended

	LogFile  string // absolute; "" = standard error only
	LogLevel string // debug, info, warn or error

	ImportRoots []string // absolute directories that anybody's manifest may name sources in
	OutputRoots []string // absolute directories that anybody's manifest may name outputs in
	Operators   []string // users, and groups with an @ before them, who may steer the jobs of others

	// What jobs get where their manifests say nothing.
	OutFormat         string // qcow2, raw, vdi or vmdk
	Compress          bool
	Compression       string // zlib or zstd
	CompressLevel     int    // 1 to 9 for zlib, 1 to 19 for zstd; 0 = the method's own
	Flatten           bool
	Inspect           bool
	Fix               bool
	FstabMode         string // stabilize-all, bypath-only or noop
	RegenInitramfs    bool
	FixGrub           bool
	FixNetwork        bool
	NetworkFixLevel   string // conservative, moderate or aggressive
	RemoveVMwareTools bool
	ValidateResult    bool // the key is validate
	BootTest          bool
	SerialConsole     bool              // guests also talk on their serial port
	Compact           bool              // what guests' file systems do not use is left out
	NetworkMap        map[string]string // source network to network:NAME or bridge:NAME; "*" for all others

	// How guests are looked into and started.
	GuestMemory   int           // MiB that appliances and boot tests of all jobs may use together; 0 = half of the host's memory
	BootTimeout   time.Duration // how long a boot test may take with KVM; without it three times as long
	AgentPackages string        // absolute directory with packages of qemu-guest-agent to install; "" = none
	Sandbox       bool          // a job's process is confined to its own files and has no network

	// Who may read results: by default those who may read the directory.
	OutputOwner string // user or number; "" = the daemon's
	OutputGroup string // group or number; "" = the directory's
	OutputMode  int    // permissions of the files
	OutputLabel string // SELinux context; "" = what the policy gives

	// What becomes of finished jobs: nothing, where all of these are 0.
	RetentionAge     time.Duration // sources of jobs that were done longer ago are removed
	RetentionCount   int           // of the sources that are left, only the newest so many stay
	RetentionFree    int64         // bytes; while less is free, the oldest sources are removed
	RetentionRecords time.Duration // records and logs of jobs whose source is gone are removed after this time
	RetentionFailed  bool          // the same for failed jobs

	// Who hears of jobs that end.
	WebhookURL        string   // https, or http of this machine; "" = nobody
	WebhookEvents     []string // success, failure, stall; none = all
	WebhookSecretFile string   // absolute; "" = calls are not signed
}

// Default returns the settings that hold where nothing is said.
func Default() Config {
	return Config{
		Mode: ModeDisk, OutputDir: DefaultOutputDir, MaxJobs: 3,
		PollInterval: 2 * time.Second, Settle: 2 * time.Second, TimedSettle: 60 * time.Second, MissingTimeout: 24 * time.Hour, TruncatedGrace: 10 * time.Minute,
		StopTimeout: 60 * time.Second, StallTimeout: 30 * time.Minute,
		LogLevel:  "info",
		OutFormat: "qcow2", Compress: true, Compression: "zlib", Flatten: true, Inspect: true, Fix: true, FstabMode: "stabilize-all",
		RegenInitramfs: true, FixGrub: true, FixNetwork: true, NetworkFixLevel: "moderate", RemoveVMwareTools: true, ValidateResult: true,
		Compact: true, BootTimeout: 5 * time.Minute, Sandbox: true, OutputMode: 0o640,
	}
}
