package linux

import (
	"bytes"
	"context"
	"path"

	"hyper2kvm/internal/guest"
)

// maxWrapper is the size up to which a grub.cfg without entries of its own is one that leads to another.
const maxWrapper = 2 << 10

// loaderFiles are the main files of boot loaders, where each is usually kept.
var loaderFiles = []struct{ kind, file string }{
	{"grub2", "/boot/grub2/grub.cfg"},
	{"grub2", "/boot/grub/grub.cfg"},
	{"grub1", "/boot/grub/menu.lst"},
	{"grub1", "/boot/grub/grub.conf"},
	{"systemd-boot", "/boot/loader/loader.conf"},
	{"systemd-boot", "/boot/efi/loader/loader.conf"},
	{"systemd-boot", "/efi/loader/loader.conf"},
	{"extlinux", "/boot/extlinux.conf"},
	{"extlinux", "/boot/extlinux/extlinux.conf"},
	{"extlinux", "/boot/syslinux/syslinux.cfg"},
	{"extlinux", "/boot/syslinux/extlinux.conf"},
}

// inspectBootLoaders fills the boot loaders. A file that is reached under several names counts once.
func inspectBootLoaders(ctx context.Context, tree guest.FS, system *guest.System) error {
	files := loaderFiles
	for _, esp := range []string{"/boot/efi/EFI", "/efi/EFI", "/boot/EFI"} {
		names, err := lookDir(ctx, tree, esp)
		if err != nil {
			return err
		}
		for _, n := range names {
			files = append(files, struct{ kind, file string }{"grub2", path.Join(esp, n, "grub.cfg")})
		}
	}
	seen := map[[2]uint64]bool{}
	system.BootLoaders = nil
	for _, f := range files {
		info, ok, err := lookStat(ctx, tree, f.file)
		if err != nil {
			return err
		}
		if !ok || !info.Mode.IsRegular() {
			continue
		}
		if f.kind == "grub2" && info.Size <= maxWrapper {
			b, _, err := lookFile(ctx, tree, f.file)
			if err != nil {
				return err
			}
			if bytes.Contains(b, []byte("configfile")) && !bytes.Contains(b, []byte("menuentry")) {
				continue
			}
		}
		if id := [2]uint64{info.Dev, info.Inode}; !seen[id] {
			seen[id] = true
			system.BootLoaders = append(system.BootLoaders, guest.BootLoader{Kind: f.kind, Config: f.file})
		}
	}
	return nil
}
