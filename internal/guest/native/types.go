package native

// The GPT types that weigh in how a machine boots.
const (
	gptESP      = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	gptBIOSBoot = "21686148-6449-6e6f-744e-656564454649"
)

// gptTypeNames are the types of GPT partitions that people meet (UEFI specification, Discoverable Partitions Specification,
// and the makers' own).
var gptTypeNames = map[string]string{
	gptESP:                                 "EFI system",
	gptBIOSBoot:                            "BIOS boot",
	"0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux filesystem",
	"0657fd6d-a4ab-43c4-84e5-0933c84b4f4f": "Linux swap",
	"e6d6d379-f507-44c2-a23c-238f2a3df928": "Linux LVM",
	"a19d880f-05fc-4d3b-a006-743f0f84911e": "Linux RAID",
	"ca7d7ccb-63ed-4c53-861c-1742536059cc": "Linux LUKS",
	"933ac7e1-2eb4-4f13-b844-0e14e2aef915": "Linux home",
	"bc13c2ff-59e6-4262-a352-b275fd6f7172": "Linux extended boot",
	"4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
	"8484680c-9521-48c6-9c11-b0720656f69e": "Linux /usr (x86-64)",
	"3b8f8425-20e0-4f3b-907f-1a25a76f98e8": "Linux server data",
	"4d21b016-b534-45c2-a9fb-5c16e091fd2d": "Linux variable data",
	"e3c9e316-0b5c-4db8-817d-f92df00215ae": "Microsoft reserved",
	"ebd0a0a2-b9e5-4433-87c0-68b6b72699c7": "Microsoft basic data",
	"de94bba4-06d1-4d40-a16a-bfd50179d6ac": "Windows recovery",
	"5808c8aa-7e8f-42e0-85d2-e1e90434cfb3": "Windows dynamic disk metadata",
	"af9b60a0-1431-4f62-bc68-3311714a69ad": "Windows dynamic disk data",
	"e75caf8f-f680-4cee-afa3-b001e56efc2d": "Windows storage spaces",
	"516e7cb4-6ecf-11d6-8ff8-00022d09712b": "FreeBSD",
	"83bd6b9d-7f41-11dc-be0b-001560b84f0f": "FreeBSD boot",
	"516e7cb5-6ecf-11d6-8ff8-00022d09712b": "FreeBSD swap",
	"516e7cb6-6ecf-11d6-8ff8-00022d09712b": "FreeBSD UFS",
	"516e7cba-6ecf-11d6-8ff8-00022d09712b": "FreeBSD ZFS",
	"6a898cc3-1dd2-11b2-99a6-080020736631": "Solaris /usr or ZFS",
	"6a945a3b-1dd2-11b2-99a6-080020736631": "Solaris reserved",
	"48465300-0000-11aa-aa11-00306543ecac": "Apple HFS+",
	"7c3457ef-0000-11aa-aa11-00306543ecac": "Apple APFS",
	"aa31e02a-400f-11db-9590-000c2911d1b8": "VMware VMFS",
	"9d275380-40ad-11db-bf97-000c2911d1b8": "VMware diagnostic",
	"9198effc-31c0-11db-8f78-000c2911d1b8": "VMware reserved",
	"fe3a2a5d-4f32-41a7-b725-accc3285a309": "ChromeOS kernel",
	"3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec": "ChromeOS root",
	"5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6": "CoreOS /usr",
	"3884dd41-8582-4404-b9a8-e9b84f2df50e": "CoreOS root",
	"9e1a2d38-c612-4316-aa26-8b49521e5a8b": "PowerPC PReP boot",
}

// mbrTypeNames are the types of MBR partitions that people meet.
var mbrTypeNames = map[byte]string{
	0x01: "FAT12", 0x04: "FAT16", 0x05: "Extended", 0x06: "FAT16", 0x07: "NTFS or exFAT", 0x0b: "FAT32", 0x0c: "FAT32 (LBA)",
	0x0e: "FAT16 (LBA)", 0x0f: "Extended (LBA)", 0x11: "Hidden FAT12", 0x16: "Hidden FAT16", 0x17: "Hidden NTFS", 0x27: "Windows recovery",
	0x42: "Windows dynamic disk", 0x82: "Linux swap", 0x83: "Linux", 0x85: "Linux extended", 0x8e: "Linux LVM", 0xa5: "FreeBSD",
	0xa6: "OpenBSD", 0xa8: "Mac OS X UFS", 0xa9: "NetBSD", 0xaf: "Mac OS X HFS", 0xbf: "Solaris", 0xda: "Data", 0xe8: "LUKS",
	typeProtective: "GPT", typeESP: "EFI system", 0xfb: "VMware VMFS", 0xfc: "VMware swap", 0xfd: "Linux RAID",
}
