package linux

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// Limits of a guest's kernels: more than these are not what a system was installed with.
const (
	maxKernels = 256
	// maxImageVersion is the longest version in a kernel's header that is believed.
	maxImageVersion = 128
)

// imageNames are how kernels are named, before a "-" and a version or a flavour, or alone.
var imageNames = []string{"vmlinuz", "vmlinux", "bzImage", "kernel", "Image", "image"}

// notImages are the endings of files that stand beside kernels.
var notImages = []string{".hmac", ".sig", ".gz", ".xz", ".zst", ".bz2", ".old", ".bak", ".map", ".config", ".sha512", ".rpmsave", ".rpmnew", ".dpkg-new", ".dpkg-tmp", ".img", ".debug"}

// kernelSearch collects the kernels of a guest.
type kernelSearch struct {
	tree     guest.FS
	versions map[string]string // directory of modules by version
	bases    map[string]string // version by the name that Arch gives a kernel: linux, linux-lts; nil until it is asked for
	found    []guest.Kernel
	seen     map[string]bool // real names of images
}

// findKernels returns the kernels that are installed, the newest first and rescue kernels last. Modules without an image are a kernel
// without one: nothing starts it.
func findKernels(ctx context.Context, tree guest.FS) ([]guest.Kernel, error) {
	s := &kernelSearch{tree: tree, versions: map[string]string{}, seen: map[string]bool{}}
	for _, look := range []func(context.Context) error{s.modules, s.boot, s.entries, s.unified, s.rest} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(s.found, func(a, b guest.Kernel) int {
		if c := cmp.Compare(rankRescue(a), rankRescue(b)); c != 0 {
			return c
		}
		return compareVersions(b.Version, a.Version)
	})
	return s.found[:min(len(s.found), maxKernels)], nil
}

// rescueKernel reports whether a kernel is a copy that is kept for emergencies.
func rescueKernel(k guest.Kernel) bool {
	return strings.Contains(path.Base(k.Image), "-rescue") || strings.Contains(path.Base(path.Dir(k.Image)), "rescue")
}

// startable reports whether something may start a kernel on KVM: it has an image, and it is none of the old kernels that run on Xen
// alone and that no machine without Xen can start.
func startable(k guest.Kernel) bool {
	return k.Image != "" && !strings.HasSuffix(k.Version, "xen")
}

func rankRescue(k guest.Kernel) int {
	if rescueKernel(k) {
		return 1
	}
	return 0
}

// modules lists the directories of modules. One without any of the files that belong to an installed kernel was left by a package of
// drivers.
func (s *kernelSearch) modules(ctx context.Context) error {
	for _, dir := range []string{"/lib/modules", "/usr/lib/modules"} {
		names, err := lookDir(ctx, s.tree, dir)
		if err != nil {
			return err
		}
		for _, version := range names {
			if s.versions[version] != "" || len(s.versions) > maxKernels {
				continue
			}
			in, err := lookDir(ctx, s.tree, path.Join(dir, version))
			if err != nil {
				return err
			}
			if slices.ContainsFunc(in, func(n string) bool {
				return n == "kernel" || n == "modules.dep" || n == "modules.builtin" || n == "vmlinuz"
			}) {
				s.versions[version] = path.Join(dir, version)
			}
		}
	}
	return nil
}

// boot looks at /boot, and at the directories of an ostree below it.
func (s *kernelSearch) boot(ctx context.Context) error {
	dirs := []string{"/boot"}
	trees, err := lookDir(ctx, s.tree, "/boot/ostree")
	if err != nil {
		return err
	}
	for _, d := range trees {
		dirs = append(dirs, path.Join("/boot/ostree", d))
	}
	for _, dir := range dirs {
		names, err := lookDir(ctx, s.tree, dir)
		if err != nil {
			return err
		}
		for _, n := range versioned(names) {
			_, suffix, _ := imageName(n)
			if err := s.image(ctx, path.Join(dir, n), suffix, names); err != nil {
				return err
			}
		}
	}
	return nil
}

// versioned returns the names of images among names, those with a version first: a bare vmlinuz is mostly a link to one of them, and a
// vmlinux stands beside the vmlinuz that is started.
func versioned(names []string) []string {
	var out []string
	for _, n := range names {
		if _, _, ok := imageName(n); ok {
			out = append(out, n)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		base, suffix, _ := imageName(a)
		otherBase, other, _ := imageName(b)
		if (suffix == "") != (other == "") {
			return cmp.Compare(len(other), len(suffix))
		}
		return cmp.Compare(slices.Index(imageNames, base), slices.Index(imageNames, otherBase))
	})
	return out
}

// imageName splits the name of a kernel's image: vmlinuz-lts is vmlinuz and lts.
func imageName(name string) (base, suffix string, ok bool) {
	for _, ending := range notImages {
		if strings.HasSuffix(name, ending) {
			return "", "", false
		}
	}
	for _, base := range imageNames {
		if name == base {
			return base, "", true
		}
		if suffix, ok := strings.CutPrefix(name, base+"-"); ok && suffix != "" {
			return base, suffix, true
		}
	}
	return "", "", false
}

// image adds a kernel of /boot; names are its neighbours.
func (s *kernelSearch) image(ctx context.Context, name, suffix string, names []string) error {
	version, err := s.imageVersion(ctx, name, suffix)
	if err != nil {
		return err
	}
	k := guest.Kernel{Version: version, Image: name}
	for _, initrd := range initrdNames(suffix, version) {
		if slices.Contains(names, initrd) {
			k.Initrd = path.Join(path.Dir(name), initrd)
			break
		}
	}
	return s.add(ctx, k)
}

// initrdNames are the names that the initramfs of a kernel may have, the likely ones first.
func initrdNames(suffix, version string) []string {
	var out []string
	if suffix == "" {
		out = []string{"initrd.img", "initrd", "initramfs.img", "initramfs", "initrd.gz"}
	}
	for _, s := range []string{suffix, version} {
		if s == "" {
			continue
		}
		out = append(out, "initrd.img-"+s, "initramfs-"+s+".img", "initrd-"+s, "initrd-"+s+".img", "initramfs-"+s, "booster-"+s+".img",
			"initramfs-genkernel-x86_64-"+s, "initramfs-genkernel-x86_64-"+s+".img", "initrd.img-"+s+".img")
	}
	return out
}

// entries looks for what kernel-install lays out (UAPI group, Boot Loader Specification, type 1): TOKEN/VERSION/linux and initrd, where
// the token is the machine's id or a name of the system's choice.
func (s *kernelSearch) entries(ctx context.Context) error {
	for _, top := range []string{"/boot", "/efi", "/boot/efi"} {
		tokens, err := lookDir(ctx, s.tree, top)
		if err != nil {
			return err
		}
		for _, token := range tokens {
			if !entryToken(token) {
				continue
			}
			versions, err := lookDir(ctx, s.tree, path.Join(top, token))
			if err != nil {
				return err
			}
			for _, version := range versions[:min(len(versions), maxKernels)] {
				if err := s.entry(ctx, path.Join(top, token, version), version); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// entryToken reports whether a directory may be one of kernel-install's: the ones that are something else are not listed.
func entryToken(name string) bool {
	switch strings.ToLower(name) {
	case "grub", "grub2", "efi", "loader", "lost+found", "ostree", "extlinux", "syslinux", "dtb", "dtbs", "memtest86+", "overlays":
		return false
	}
	return !strings.Contains(name, ".") && !strings.Contains(name, "-")
}

func (s *kernelSearch) entry(ctx context.Context, dir, version string) error {
	names, err := lookDir(ctx, s.tree, dir)
	if err != nil || !slices.Contains(names, "linux") {
		return err
	}
	k := guest.Kernel{Version: version, Image: path.Join(dir, "linux")}
	if s.versions[version] == "" {
		if k.Version, err = s.imageVersion(ctx, k.Image, version); err != nil {
			return err
		}
	}
	// kernel-install keeps the name of an initramfs that it was given, and Debian's hook gives it /boot/initrd.img-VERSION.
	for _, n := range append([]string{"initrd", "initramfs.img", "initrd.img"}, initrdNames(version, k.Version)...) {
		if slices.Contains(names, n) {
			k.Initrd = path.Join(dir, n)
			break
		}
	}
	return s.add(ctx, k)
}

// rest adds the kernels that are only among the modules.
func (s *kernelSearch) rest(ctx context.Context) error {
	for version, dir := range s.versions {
		if slices.ContainsFunc(s.found, func(k guest.Kernel) bool { return k.Version == version && !rescueKernel(k) }) {
			continue
		}
		k := guest.Kernel{Version: version, Modules: dir}
		var err error
		if k.Image, err = lookFirst(ctx, s.tree, dir+"/vmlinuz"); err != nil {
			return err
		}
		if k.Image != "" {
			if k.Initrd, err = lookFirst(ctx, s.tree, dir+"/initramfs.img", dir+"/initrd"); err != nil {
				return err
			}
		}
		s.found = append(s.found, k)
	}
	return nil
}

// add adds a kernel unless its image is there under another name, or as vmlinux beside vmlinuz.
func (s *kernelSearch) add(ctx context.Context, k guest.Kernel) error {
	at, err := guest.Resolve(ctx, s.tree, k.Image)
	if err != nil {
		if absent(err) {
			return nil
		}
		return err
	}
	info, ok, err := lookStat(ctx, s.tree, at)
	if err != nil || !ok || !info.Mode.IsRegular() || s.seen[at] {
		return err
	}
	s.seen[at] = true
	for _, had := range s.found {
		if had.Version == k.Version && had.Initrd == k.Initrd && path.Dir(had.Image) == path.Dir(k.Image) && rescueKernel(had) == rescueKernel(k) {
			return nil
		}
	}
	k.Modules = s.versions[k.Version]
	s.found = append(s.found, k)
	return nil
}
