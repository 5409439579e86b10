package manifest

import "slices"

// codes is the table of every code, in the order of the constants.
var codes = []Code{
	{
		ID: CodeSourceMissing, Title: "The source is not there",
		Cause:     "The manifest names a file that does not exist, or it was moved or deleted after the job was submitted.",
		Hint:      "Put the file where the manifest says, or correct the path, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeSourceUnreadable, Title: "The source cannot be opened",
		Cause:     "The daemon's user may not read the file, or a directory above it.",
		Hint:      "Give the group hyper2kvm read access (chgrp hyper2kvm FILE; chmod g+r FILE), then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeSourceChanged, Title: "The source changed while it was read",
		Cause:     "Another program wrote the file during the conversion; a running VM does that.",
		Hint:      "Shut the VM down or take a snapshot and copy that, wait until the copy is done, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeSourceTruncated, Title: "The source ends too early",
		Cause:     "The file is shorter than its own header says: a copy was cut off, or the disk it was copied to ran full.",
		Hint:      "Copy the file again and compare checksums, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeSourceChecksum, Title: "The source does not have the stated checksum",
		Cause:     "The file was damaged on its way, or the checksum in the manifest is of another file.",
		Hint:      "Compare with sha256sum FILE at the origin, copy the file again or correct the manifest, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeSourceUnknown, Title: "The source is of no known format",
		Cause: "The content is none of the formats that are read, whatever the file's name says.",
		Hint:  "Look at it with: hyperctl image info FILE. A disk without a format of its own must end in .raw or .img.",
	},
	{
		ID: CodeSourceNotRegular, Title: "The source is not a regular file",
		Cause: "It is a link, a device, a pipe or a socket. Those are never opened, for they could lead anywhere.",
		Hint:  "Copy the content to a regular file and submit that.",
	},
	{
		ID: CodeSourceRead, Title: "The source cannot be read in full",
		Cause:     "The disk or the network below the file reported an error.",
		Hint:      "Look at the kernel's log (journalctl -k), copy the file to sound storage, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeSourceMismatch, Title: "The source is not what the manifest says",
		Cause: "The manifest states a format or a size, and the content has another.",
		Hint:  "Correct source_type, source_format or bytes in the manifest, or leave them out; hyperctl image info FILE shows what the file is.",
	},
	{
		ID: CodeSourceEmpty, Title: "The source is empty",
		Cause:     "The file has no bytes: a copy that never began, or a placeholder.",
		Hint:      "Copy the file again, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeImageCorrupt, Title: "The image contradicts itself",
		Cause: "A table, a checksum or a size inside the image cannot be right. The disk may be damaged.",
		Hint:  "Check it where it came from (vmkfstools -x check, Test-VHD), export it again and submit that.",
	},
	{
		ID: CodeImageUnsupported, Title: "The image uses a feature that is not read",
		Cause: "The format is known, but this image needs something that the program cannot do.",
		Hint:  "The message names the feature. Export the disk in another way, such as a streamOptimized VMDK or a plain VHDX.",
	},
	{
		ID: CodeImageEncrypted, Title: "The image is encrypted",
		Cause: "The image as a whole is encrypted by the platform; only the platform has the key.",
		Hint:  "Decrypt the VM on the platform (remove its encryption policy) and export it again.",
	},
	{
		ID: CodeImageOutside, Title: "The image points outside its place",
		Cause: "The image names an extent or a parent by a path that leads away from its own directory.",
		Hint:  "Put all files of the disk into one directory and submit that; hyperctl image info FILE lists what it names.",
	},
	{
		ID: CodeImageMissing, Title: "A file that the image needs is not there",
		Cause:     "The disk consists of several files, extents or the parents of a snapshot, and one of them is missing.",
		Hint:      "Put the named file beside the image, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeImageLimit, Title: "The image asks for more than is allowed",
		Cause: "A count or size in the image is beyond what any real disk has. The image is damaged or made to do harm.",
		Hint:  "Export the disk again. If it is sound, report it with the output of: hyperctl image info FILE",
	},
	{
		ID: CodeImageChain, Title: "The image is a snapshot and flatten is off",
		Cause: "The disk is the newest link of a chain, and the manifest says flatten: false.",
		Hint:  "Write flatten: true, or consolidate the snapshots on the platform before the export.",
	},
	{
		ID: CodeImagePartitions, Title: "The partition table reaches past the end of the disk",
		Cause: "The partitions are larger than the disk: the image was cut off, or belongs to a larger disk.",
		Hint:  "Compare the disk's size with the origin and export it again.",
	},
	{
		ID: CodeManifestSyntax, Title: "The manifest is not YAML or JSON that can be read",
		Cause: "A character, a quote or an indentation is wrong, or the file uses aliases, tags or several documents.",
		Hint:  "The message gives line and column; check the file with: hyperctl manifest validate FILE",
	},
	{
		ID: CodeManifestKey, Title: "The manifest has a key that nobody knows",
		Cause: "The key is misspelt, stands in the wrong place, or belongs to another dialect.",
		Hint:  "Look the keys up with: hyperctl manifest explain PATH",
	},
	{
		ID: CodeManifestDialect, Title: "The manifest is of no dialect, or of two",
		Cause: "A manifest is a job config, a pipeline manifest or an artifact manifest; the keys at the top say which.",
		Hint:  "Begin with a generated one: hyperctl manifest generate FILE",
	},
	{
		ID: CodeManifestValue, Title: "The manifest has a value that its key cannot have",
		Cause: "The value is of the wrong type, or none of the words that the key knows.",
		Hint:  "The message lists what is allowed; see also: hyperctl manifest explain PATH",
	},
	{
		ID: CodeManifestRequired, Title: "The manifest lacks something",
		Cause: "A key that must be there is missing, or a list is empty.",
		Hint:  "Add what the message names; see: hyperctl manifest explain PATH",
	},
	{
		ID: CodeManifestDuplicate, Title: "The manifest says something twice",
		Cause: "A key stands twice in one mapping, or two disks have the same id. Which one was meant cannot be known.",
		Hint:  "Remove one of them; the message gives both lines.",
	},
	{
		ID: CodeManifestLimit, Title: "The manifest is larger than allowed",
		Cause: "The file, a list in it or a text in it is beyond its limit.",
		Hint:  "Split it into several manifests.",
	},
	{
		ID: CodeManifestConflict, Title: "The manifest contradicts itself",
		Cause: "Two keys cannot both hold, such as a .raw file name with output_format: qcow2.",
		Hint:  "Keep the one that was meant; the message names both.",
	},
	{
		ID: CodeManifestEncoding, Title: "The manifest is not UTF-8 text",
		Cause: "The file has a byte order mark, is UTF-16, or holds bytes that are no text.",
		Hint:  "Save it as UTF-8 without a byte order mark, for example: iconv -f UTF-16 -t UTF-8 FILE",
	},
	{
		ID: CodeManifestIgnored, Title: "The manifest says something that is not applied",
		Cause: "The key or value is accepted because other programs write it, but it has no effect here.",
		Hint:  "Nothing needs to be done; remove the key to silence the warning.",
	},
	{
		ID: CodeManifestAlias, Title: "The manifest uses another word for a value",
		Cause: "An older word is read as the one that is used today.",
		Hint:  "Write the word that the message gives to silence the warning.",
	},
	{
		ID: CodeMachineDescriptor, Title: "The description of the machine cannot be read",
		Cause: "The OVF or VMX file is damaged or not what its name says.",
		Hint:  "Export the VM again, or submit its disks without the descriptor.",
	},
	{
		ID: CodeMachineChecksum, Title: "The package is not what its manifest file says",
		Cause:     "A file of the OVF package has another digest than the .mf file lists: it was damaged or changed.",
		Hint:      "Copy or export the package again, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeMachineMember, Title: "The package has a member that is not taken",
		Cause: "An archive member has a path, is a link, or stands twice; a package made by a platform has none of these.",
		Hint:  "Export the VM again, or unpack the archive and submit the folder.",
	},
	{
		ID: CodeMachineSeveral, Title: "The package describes several machines",
		Cause: "An OVF package may hold a group of VMs; a job is one VM.",
		Hint:  "Export the VMs one by one.",
	},
	{
		ID: CodeMachineNoDisk, Title: "The machine has no disk",
		Cause: "The description names no disk image, so there is nothing to convert.",
		Hint:  "Export the VM with its disks.",
	},
	{
		ID: CodeMachineAssumed, Title: "Part of the machine is an assumption",
		Cause: "The description leaves something open, or names hardware that KVM has no like of, and the domain XML holds a safe choice instead.",
		Hint:  "Read the message, and edit the domain XML where you know better: virsh edit NAME",
	},
	{
		ID: CodeFixUnavailable, Title: "A repair was asked for that this host cannot make",
		Cause:     "The manifest itself asks for a repair of the guest, and libguestfs, which opens the guest's file systems, is not here or not usable.",
		Hint:      "Install it (apt install libguestfs-tools, or dnf install guestfs-tools), run hyperctl doctor, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeFixLeftOut, Title: "A repair was left out",
		Cause: "Something in the guest was not understood or could not be made safe, so it was left as it was; the rest was done.",
		Hint:  "Read the warning: it names the file and what to do by hand.",
	},
	{
		ID: CodeFixFailed, Title: "A repair of the guest failed",
		Cause: "A command of the guest's own failed, or it ended well and what it made does not hold what it was made for. The source is as it was.",
		Hint:  "Read the command's output: hyperctl workflow log JOB. To convert the guest as it is, set fix: false and retry.",
	},
	{
		ID: CodeFixSpace, Title: "The guest has too little free space for the repairs",
		Cause: "A new initramfs is built beside the old one and needs room in the file system that holds it.",
		Hint:  "Free space in the source VM (old kernels in /boot are the usual cause), export it again, and retry.",
	},
	{
		ID: CodeGuestAppliance, Title: "The libguestfs appliance failed",
		Cause:     "The small virtual machine that opens the guest's file systems did not start, or it stopped.",
		Hint:      "Run hyperctl doctor on the host, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeGuestEncrypted, Title: "The guest is encrypted and no key opens it",
		Cause: "A disk of the guest is a LUKS container or BitLocker volume, and the job has no passphrase that fits.",
		Hint:  "Name a file with the passphrase under key_file in the manifest; or set fix: false to convert the disk without looking into it.",
	},
	{
		ID: CodeGuestUnclean, Title: "The guest was not shut down cleanly",
		Cause: "A file system of the guest is hibernated or damaged, so that it cannot be changed safely.",
		Hint:  "Start the source VM, shut it down in full (Windows: shutdown /s /t 0, with Fast Startup off; powercfg /h off), export it again.",
	},
	{
		ID: CodeGuestUnknown, Title: "No operating system was found on the disks",
		Cause: "The disks hold file systems, and none of them is the root of a system that is known. Data disks are like that.",
		Hint:  "If it is a data disk, nothing is wrong. Else look with: hyperctl inspect IMAGE",
	},
	{
		ID: CodeGuestAdvice, Title: "Something is left to do in the guest",
		Cause: "The guest runs as it is, and would run better after a step that only a person can take.",
		Hint:  "Read the warning: it says the step.",
	},
	{
		ID: CodeBootFailed, Title: "The converted VM did not boot in its test",
		Cause: "The VM was started on a throw-away copy, and it did not come up: the serial log and the screenshot show how far it came. They stand in boot-test beside the report, and beside the job's log where the test failed the job.",
		Hint:  "Look at the serial log and the screenshot, which this names: hyperctl workflow show JOB. To keep the result all the same, set require_boot: false.",
	},
	{
		ID: CodeBootUnavailable, Title: "The boot test could not be made",
		Cause:     "qemu-system-x86_64, or the firmware that the guest needs, is not on this host.",
		Hint:      "Install it (apt install qemu-system-x86 ovmf, or dnf install qemu-kvm edk2-ovmf), run hyperctl doctor, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeGuestCheck, Title: "The converted guest has a fault",
		Cause: "The result was opened again, and a file system in it has errors, or its configuration names something that is not there.",
		Hint:  "Read the message: it names what is wrong. If the source has the same fault, repair it there and convert again.",
	},
	{
		ID: CodeOutputExists, Title: "The output is there already",
		Cause:     "The directory or file that the manifest names exists; an existing output is never overwritten.",
		Hint:      "Move the old output away or name another place, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeOutputWrite, Title: "The output cannot be written",
		Cause:     "The output directory does not exist, may not be written, or its disk reported an error.",
		Hint:      "Look at the directory and its file system, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeOutputProof, Title: "The output does not read back as it was written",
		Cause:     "What was read back from the written image differs from the source. The storage or the memory is faulty, or the program is.",
		Hint:      "Do not use the image. Check the storage and run: hyperctl workflow retry JOB. If it happens again, report it with the job's log.",
		Retryable: true,
	},
	{
		ID: CodeOutputFormat, Title: "The output format cannot hold the disk",
		Cause: "The disk is larger than the format allows, or its sectors do not fit.",
		Hint:  "Write output_format: qcow2, which has no such limit.",
	},
	{
		ID: CodeSpaceOutput, Title: "There is not enough space for the output",
		Cause:     "The file system of the output ran full, or the job needs more than there is at all.",
		Hint:      "Free some space (the message says how much) or name another output directory, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeSpaceQueue, Title: "There is no space for the queue's own records",
		Cause:     "The file system of the workflow directory is full, so the daemon takes no new jobs.",
		Hint:      "Free some space, for example by moving old folders away from processed/; the daemon goes on by itself.",
		Retryable: true,
	},
	{
		ID: CodePolicyPath, Title: "The manifest names a path that is not allowed",
		Cause: "Only plain names beside the manifest and paths under import_roots and output_roots are open to everybody; URLs and .. never are.",
		Hint:  "Copy the file beside the manifest, or ask the administrator to add the directory to import_roots or output_roots.",
	},
	{
		ID: CodePolicyName, Title: "A name is not allowed",
		Cause: "The name holds control characters, a slash, or begins with a dot or a dash, or it is too long to have a record beside it.",
		Hint:  "Rename the file or correct the name in the manifest.",
	},
	{
		ID: CodePolicyOwner, Title: "The owner of the job may not do that",
		Cause: "The job, or the control file, belongs to another user.",
		Hint:  "Ask the owner, or an operator (the daemon's setting operators lists them).",
	},
	{
		ID: CodeJobNoResult, Title: "The job ended without a result",
		Cause:     "The process that ran the job ended before it said how it went: it crashed, or the system killed it for want of memory.",
		Hint:      "Look at hyperctl workflow log JOB and journalctl -k, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeJobStalled, Title: "The job made no progress",
		Cause:     "Nothing was read or written for longer than stall_timeout; the storage or a tool hangs.",
		Hint:      "Check the storage below source and output, then: hyperctl workflow retry JOB. The setting stall_timeout allows longer pauses.",
		Retryable: true,
	},
	{
		ID: CodeJobCancelled, Title: "The job was cancelled",
		Cause:     "Somebody asked for it with hyperctl workflow cancel, or by pressing x in hyperctl workflow watch.",
		Hint:      "To run it after all: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeJobCrashLoop, Title: "The job crashed several times",
		Cause:     "Its process died three times, or the daemon died ten times while it ran, so it is not started again by itself.",
		Hint:      "Look at hyperctl workflow log JOB and report it with the log. After a cause was found: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeJobInternal, Title: "The program made a mistake",
		Cause:     "Something happened that the program rules out.",
		Hint:      "Report it with the job's log: hyperctl workflow log JOB. Another attempt may succeed: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeQueueMissing, Title: "A file that belongs to the job did not come",
		Cause:     "The manifest or descriptor names a file that was not in the drop zone within missing_timeout.",
		Hint:      "Copy the file into to_be_processed/, then: hyperctl workflow retry JOB",
		Retryable: true,
	},
	{
		ID: CodeQueueName, Title: "A file in the drop zone has a name that is not allowed",
		Cause: "The name holds control characters or is too long for the records that stand beside it.",
		Hint:  "Rename the file and drop it again.",
	},
	{
		ID: CodeQueueLayout, Title: "The workflow directory cannot be used",
		Cause: "Its parts are missing, on several file systems, or were written by a newer version of the program.",
		Hint:  "Put all its parts on one file system, without mounts between them, and start the daemon again; the message names the part.",
	},
	{
		ID: CodeConfig, Title: "The daemon's configuration is not valid",
		Cause: "A key is unknown, a value is of the wrong kind, or two settings contradict each other.",
		Hint:  "The message gives line and column; check the file with: hyper2kvmd --check-config --config FILE",
	},
	{
		ID: CodeAPIToken, Title: "The request to hyperctl serve carries no valid token",
		Cause: "There is no header Authorization: Bearer TOKEN and no session, or the token or the session is not known (any more).",
		Hint:  "Send the header with a token of the file that --token-file names, or open the link that hyperctl serve printed.",
	},
	{
		ID: CodeAPIRole, Title: "The token allows to read only",
		Cause: "The request would change something, and its token has the role read.",
		Hint:  "Use a token with the role full.",
	},
	{
		ID: CodeAPIOrigin, Title: "The request names a host, or comes from a page, that is not allowed",
		Cause: "The Host header is none of the names that hyperctl serve answers to, or a browser sent the request for another site's page.",
		Hint:  "Start hyperctl serve with --allow-host NAME for each further name under which it is reached.",
	},
	{
		ID: CodeAPIRequest, Title: "The request is not understood",
		Cause: "A parameter or the body has a value that is not among the allowed ones; the detail says which.",
		Hint:  "Compare the request with /api/openapi.yaml.",
	},
	{
		ID: CodeAPIUpload, Title: "The body is too large, or no document",
		Cause: "Only manifests in JSON or YAML are posted, at most 1 MiB. Disks are copied into the drop zone, not posted.",
		Hint:  "Copy the disk to to_be_processed/ (cp, scp, rsync) or name its path in the manifest; send manifests with Content-Type: application/json or application/yaml.",
	},
	{
		ID: CodeAPIRoute, Title: "There is no such resource",
		Cause: "The path, or the method on it, is not one that hyperctl serve knows.",
		Hint:  "The list is in /api/openapi.yaml.",
	},
	{
		ID: CodeAPINoJob, Title: "There is no such job, or not what was asked for of it",
		Cause: "No job has this id or name; or it has no report, because it is not done, or no log, because it has not started.",
		Hint:  "List the jobs: GET /api/workflow/jobs, or hyperctl workflow list --all",
	},
	{
		ID: CodeAPIState, Title: "The job is in no state for that",
		Cause: "Only failed jobs are retried, and only queued, waiting and running ones cancelled; or the daemon refused, as the detail says.",
		Hint:  "Look at the job again: GET /api/workflow/jobs/ID",
	},
	{
		ID: CodeAPIDaemon, Title: "The daemon does not run, or does not answer",
		Cause: "The request needs the daemon, which nobody started, or which hangs.",
		Hint:  "sudo systemctl start hyper2kvm-workflow, then ask again.",
	},
	{
		ID: CodeAPIMissing, Title: "This server cannot do that",
		Cause: "The request is known, and this version, or the way it was started, has nothing that answers it.",
		Hint:  "The detail says what is missing.",
	},
	{
		ID: CodeAPIBusy, Title: "The server does too much at once already",
		Cause: "There are as many event streams, followed logs or plans under way as the server allows.",
		Hint:  "Try again in a moment; close tabs that are not looked at.",
	},
	{
		ID: CodeAPIKey, Title: "The idempotency key was used for another manifest",
		Cause: "A key stands for one submission: the same key with another body would be a mistake to hide.",
		Hint:  "Send a new Idempotency-Key.",
	},
	{
		ID: CodeAPIInternal, Title: "The server could not read or write the workflow directory, or made a mistake",
		Cause: "The detail says what happened.",
		Hint:  "Look at the log of hyperctl serve.",
	},
}

// Codes returns the table of every code, area by area.
func Codes() []Code { return slices.Clone(codes) }

// LookupCode returns the entry of a code; ok is false when there is none.
func LookupCode(id string) (c Code, ok bool) {
	i := slices.IndexFunc(codes, func(c Code) bool { return c.ID == id })
	if i < 0 {
		return Code{}, false
	}
	return codes[i], true
}
