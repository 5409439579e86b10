package manifest

// Code is one entry of the table of error codes: what `hyperctl explain` knows.
type Code struct {
	ID        string // H2K-AREA-NNN; never reused for another meaning
	Title     string // one line: what happened
	Cause     string // why it happens
	Hint      string // what to do; may name a command
	Retryable bool   // the same job may succeed later without being changed
}

// The codes. AREA is SRC (the source), IMG (inside an image), MAN (manifest), VM (description of the machine), FIX, GST
// (the guest), BOOT, CHK (checks of the result), OUT (the output), SPC (space), SEC (policy), JOB (the run), Q (the queue), CFG (configuration), API (requests to hyperctl serve).
const (
	CodeSourceMissing     = "H2K-SRC-001"
	CodeSourceUnreadable  = "H2K-SRC-002"
	CodeSourceChanged     = "H2K-SRC-003"
	CodeSourceTruncated   = "H2K-SRC-004"
	CodeSourceChecksum    = "H2K-SRC-005"
	CodeSourceUnknown     = "H2K-SRC-006" // no known format
	CodeSourceNotRegular  = "H2K-SRC-007"
	CodeSourceRead        = "H2K-SRC-008" // I/O error
	CodeSourceMismatch    = "H2K-SRC-009" // stated format or size is not what was found
	CodeSourceEmpty       = "H2K-SRC-010"
	CodeImageCorrupt      = "H2K-IMG-001"
	CodeImageUnsupported  = "H2K-IMG-002"
	CodeImageEncrypted    = "H2K-IMG-003"
	CodeImageOutside      = "H2K-IMG-004"
	CodeImageMissing      = "H2K-IMG-005" // extent or parent missing
	CodeImageLimit        = "H2K-IMG-006"
	CodeImageChain        = "H2K-IMG-007" // flatten: false on a chain
	CodeImagePartitions   = "H2K-IMG-008" // partition table reaches past the disk
	CodeManifestSyntax    = "H2K-MAN-001"
	CodeManifestKey       = "H2K-MAN-002"
	CodeManifestDialect   = "H2K-MAN-003"
	CodeManifestValue     = "H2K-MAN-004"
	CodeManifestRequired  = "H2K-MAN-005"
	CodeManifestDuplicate = "H2K-MAN-006"
	CodeManifestLimit     = "H2K-MAN-007"
	CodeManifestConflict  = "H2K-MAN-008"
	CodeManifestEncoding  = "H2K-MAN-009"
	CodeManifestIgnored   = "H2K-MAN-010" // accepted and not applied
	CodeManifestAlias     = "H2K-MAN-011" // another word for a value
	CodeMachineDescriptor = "H2K-VM-001"
	CodeMachineChecksum   = "H2K-VM-002"
	CodeMachineMember     = "H2K-VM-003"
	CodeMachineSeveral    = "H2K-VM-004" // several systems in one package
	CodeMachineNoDisk     = "H2K-VM-005"
	CodeMachineAssumed    = "H2K-VM-006"  // something the description leaves open was filled in
	CodeFixUnavailable    = "H2K-FIX-001" // libguestfs is missing
	CodeFixLeftOut        = "H2K-FIX-002" // a repair was left out
	CodeFixFailed         = "H2K-FIX-003" // a command of the guest failed, or did not do what it was for
	CodeFixSpace          = "H2K-FIX-004" // too little space in the guest
	CodeGuestAppliance    = "H2K-GST-001" // the appliance did not start, or died
	CodeGuestEncrypted    = "H2K-GST-002"
	CodeGuestUnclean      = "H2K-GST-003" // hibernated, or a file system that cannot be written safely
	CodeGuestUnknown      = "H2K-GST-004" // no operating system was found
	CodeGuestAdvice       = "H2K-GST-005" // what a person should do in the guest
	CodeBootFailed        = "H2K-BOOT-001"
	CodeBootUnavailable   = "H2K-BOOT-002"
	CodeGuestCheck        = "H2K-CHK-001" // the output's guest has a fault
	CodeOutputExists      = "H2K-OUT-001"
	CodeOutputWrite       = "H2K-OUT-002"
	CodeOutputProof       = "H2K-OUT-003" // the output does not read back as written
	CodeOutputFormat      = "H2K-OUT-004"
	CodeSpaceOutput       = "H2K-SPC-001"
	CodeSpaceQueue        = "H2K-SPC-002"
	CodePolicyPath        = "H2K-SEC-001"
	CodePolicyName        = "H2K-SEC-002"
	CodePolicyOwner       = "H2K-SEC-003"
	CodeJobNoResult       = "H2K-JOB-001"
	CodeJobStalled        = "H2K-JOB-002"
	CodeJobCancelled      = "H2K-JOB-003"
	CodeJobCrashLoop      = "H2K-JOB-004"
	CodeJobInternal       = "H2K-JOB-005"
	CodeQueueMissing      = "H2K-Q-001" // a member did not come in time
	CodeQueueName         = "H2K-Q-002"
	CodeQueueLayout       = "H2K-Q-003"
	CodeConfig            = "H2K-CFG-001"
	CodeAPIToken          = "H2K-API-001"
	CodeAPIRole           = "H2K-API-002"
	CodeAPIOrigin         = "H2K-API-003" // a host or an origin that is not allowed
	CodeAPIRequest        = "H2K-API-004" // a parameter or a body that is not understood
	CodeAPIUpload         = "H2K-API-005" // too large, or not a document
	CodeAPIRoute          = "H2K-API-006" // no such resource, or not with this method
	CodeAPINoJob          = "H2K-API-007"
	CodeAPIState          = "H2K-API-008"
	CodeAPIDaemon         = "H2K-API-009" // the daemon does not run or does not answer
	CodeAPIMissing        = "H2K-API-010" // not part of this server
	CodeAPIBusy           = "H2K-API-011"
	CodeAPIKey            = "H2K-API-012" // an idempotency key that was used for something else
	CodeAPIInternal       = "H2K-API-013"
)
