package disk

// Limits that hold for every format; those of one format stand in its package.
const (
	// MaxSize is the largest virtual size that is accepted: 64 TiB, the limit of the largest format read here (VHDX).
	MaxSize = 64 << 40
	// MaxChain is the longest chain of images that is followed. VMware allows 32 snapshots, VirtualBox and qemu more in
	// theory; a chain of 64 already reads at a crawl and is more likely a loop or an attack.
	MaxChain = 64
	// MaxNameLen is the longest name of a sibling file taken from an image (NAME_MAX of Linux file systems).
	MaxNameLen = 255
)
