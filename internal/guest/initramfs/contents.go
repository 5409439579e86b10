package initramfs

import (
	"path"
	"slices"
	"strings"
)

// The tools whose images are recognised, and systemd as init.
const (
	KindDracut         = "dracut"
	KindInitramfsTools = "initramfs-tools"
	KindMkinitcpio     = "mkinitcpio"
	KindMkinitfs       = "mkinitfs"
	KindMkinitrd       = "mkinitrd" // of Red Hat 5 and before, and of SUSE 11 and before
	KindBooster        = "booster"
	KindMakeInitrd     = "make-initrd"
	KindSystemd        = "systemd" // beside the kind of the tool: systemd runs in the initramfs
)

// Contents is what an image holds.
type Contents struct {
	Archives []Archive
	Modules  []Module // sorted by path
	Kernels  []string // versions below lib/modules, sorted
	Builtin  []string // of these, those with a modules.builtin
	Dep      []string // those with a modules.dep
	Kinds    []string // Kind constants, by evidence; sorted
	// Files is the content of small text files that tie an image to one machine: what lies below etc/cmdline.d and conf, dracut's hooks that
	// wait for a disk (devexists-), and etc/fstab, etc/crypttab, cryptroot/crypttab. Keys are names without a leading slash. Larger ones
	// than 64 KiB are left out.
	Files map[string]string
	// Trailing says that something that is no archive follows, which the kernel complains of and ignores.
	Trailing bool
	// Unified says that the image is a unified kernel image, and the rest what its .initrd section holds.
	Unified bool
}

// Archive is one part of an image.
type Archive struct {
	Offset      int64  // in the image, or in the .initrd section; archives in one compressed stream share it
	Compression string // none, gzip, xz, lzma, bzip2, zstd, lz4
	Entries     int
}

// Module is a kernel module.
type Module struct {
	Name   string // as the kernel has it: virtio_blk
	Kernel string // version, from the directory; "" in the images of an old mkinitrd, which has /lib/virtio_blk.ko
	Path   string // without a leading slash
}

// Has reports whether the image has a module for that kernel.
func (c Contents) Has(kernel, module string) bool {
	return slices.ContainsFunc(c.Modules, func(m Module) bool {
		return m.Name == module && (m.Kernel == kernel || m.Kernel == "")
	})
}

// Is reports whether there is evidence of that kind.
func (c Contents) Is(kind string) bool { return slices.Contains(c.Kinds, kind) }

// ModuleName returns the name by which the kernel knows the module in a file: its base without the endings of modules and of their
// compression, with underscores. ok is false for a file that is no module.
func ModuleName(name string) (module string, ok bool) {
	base := path.Base(name)
	for _, pack := range []string{".xz", ".zst", ".gz", ".lz4", ".bz2", ".lzma"} {
		if cut, found := strings.CutSuffix(base, pack); found {
			base = cut
			break
		}
	}
	base, ok = strings.CutSuffix(base, ".ko")
	if !ok || base == "" {
		return "", false
	}
	return strings.ReplaceAll(base, "-", "_"), true
}

// moduleKernel returns the version in lib/modules/VERSION/..., and what follows it.
func moduleKernel(name string) (version, rest string, ok bool) {
	name = strings.TrimPrefix(name, "usr/")
	if name, ok = strings.CutPrefix(name, "lib/modules/"); !ok {
		return "", "", false
	}
	version, rest, _ = strings.Cut(name, "/")
	return version, rest, version != ""
}
