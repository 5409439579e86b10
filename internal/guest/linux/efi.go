package linux

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// efiFixer makes sure that there is a loader at the path which firmware takes without any boot entry: the entries stay behind in the
// memory of the old machine.
type efiFixer struct{}

// maxLoader bounds a loader that is copied. The largest are images of GRUB with all modules, below 8 MiB.
const maxLoader = 32 << 20

// Name implements guest.Fixer.
func (efiFixer) Name() string { return "efi" }

// Plan implements guest.Fixer.
func (efiFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	suffix := efiSuffix(system.Arch)
	if system.Firmware != guest.FirmwareUEFI || suffix == "" {
		return guest.Proposal{}, nil
	}
	e := &efiTree{files: &fileSet{tree: tree}, suffix: suffix}
	for _, dir := range espDirs(system) {
		efi, err := e.find(ctx, dir, "EFI")
		if err != nil {
			return guest.Proposal{}, err
		}
		if efi == "" {
			continue
		}
		if err := e.fallback(ctx, efi, espFree(system, dir)); err != nil {
			return guest.Proposal{}, err
		}
		return e.files.proposal, nil
	}
	e.files.warn("Mount the EFI system partition in the guest and install its boot loader there.", "the guest boots by UEFI, and no EFI system partition with a loader is mounted")
	return e.files.proposal, nil
}

// efiSuffix is the machine's name in file names of loaders, "" where there is no UEFI for it.
func efiSuffix(arch string) string {
	switch arch {
	case "x86_64", "amd64", "":
		return "x64"
	case "i386", "i486", "i586", "i686":
		return "ia32"
	case "aarch64", "arm64":
		return "aa64"
	case "riscv64":
		return "riscv64"
	}
	return ""
}

// espFree is how many bytes may be written to what is mounted there, -1 where that is not known.
func espFree(system guest.System, dir string) int64 {
	for _, m := range system.Mounts {
		if m.Point == dir && m.Free > 0 {
			return m.Free
		}
	}
	return -1
}

// efiTree is an EFI system partition; its file names have no case.
type efiTree struct {
	files  *fileSet
	suffix string
}

// find returns the name that an entry of a directory really has, "" where there is none.
func (e *efiTree) find(ctx context.Context, dir, name string) (string, error) {
	entries, err := e.files.list(ctx, dir, "")
	if err != nil {
		return "", err
	}
	for _, entry := range entries {
		if strings.EqualFold(path.Base(entry), name) {
			return entry, nil
		}
	}
	return "", nil
}

// copied is a file that goes into EFI/BOOT.
type copied struct{ from, to string }

// fallback proposes the files of EFI/BOOT where the loader is missing there.
func (e *efiTree) fallback(ctx context.Context, efi string, free int64) error {
	boot, err := e.find(ctx, efi, "BOOT")
	if err != nil {
		return err
	}
	if boot == "" {
		boot = path.Join(efi, "BOOT")
	}
	loader := "BOOT" + strings.ToUpper(e.suffix) + ".EFI"
	if there, err := e.find(ctx, boot, loader); err != nil || there != "" {
		return err
	}
	vendor, files, err := e.choose(ctx, efi, loader)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		e.files.warn("Install the guest's boot loader to the removable path, such as with grub-install --removable.",
			"%q has no %s and no loader that could be copied there: the firmware will find nothing to start", boot, loader)
		return nil
	}
	var changes []guest.Change
	var need int64
	for _, f := range files {
		c, err := e.copy(ctx, f.from, path.Join(boot, f.to))
		if errors.Is(err, guest.ErrLimit) {
			e.files.warn("Look at the EFI system partition.", "%q has no %s: %v", boot, loader, err)
			return nil
		}
		if err != nil {
			return err
		}
		if c != nil {
			need += int64(len(c.After.Data))
			changes = append(changes, *c)
		}
	}
	cfg, err := e.config(ctx, vendor, boot, files)
	if err != nil {
		return err
	}
	if free >= 0 && need > free {
		e.files.warn("Free some room on the EFI system partition and copy the loader to EFI/BOOT in the guest.",
			"%q has no %s, and the copy needs %d bytes where %d are free", boot, loader, need, free)
		return nil
	}
	e.files.proposal.Changes = append(e.files.proposal.Changes, changes...)
	if cfg != nil {
		e.files.proposal.Changes = append(e.files.proposal.Changes, *cfg)
	}
	return nil
}

// copy proposes a copy, nil where there is such a file already.
func (e *efiTree) copy(ctx context.Context, from, to string) (*guest.Change, error) {
	if there, err := e.find(ctx, path.Dir(to), path.Base(to)); err != nil || there != "" {
		return nil, err
	}
	data, info, err := e.load(ctx, from)
	if err != nil {
		return nil, err
	}
	return &guest.Change{
		Path: to, Why: "firmware without boot entries starts what is here; copied from " + from,
		After: &guest.File{Data: data, Mode: info.Mode, UID: info.UID, GID: info.GID},
	}, nil
}

// load reads a loader.
func (e *efiTree) load(ctx context.Context, name string) ([]byte, guest.Info, error) {
	info, err := e.files.tree.Stat(ctx, name)
	if err != nil {
		return nil, info, err
	}
	if info.Size > maxLoader || !info.Mode.IsRegular() {
		return nil, info, fmt.Errorf("%w: %q is no loader: %d bytes, at most %d are read", guest.ErrLimit, name, info.Size, maxLoader)
	}
	content, err := e.files.tree.Open(ctx, name)
	if err != nil {
		return nil, info, err
	}
	defer content.Close()
	data := make([]byte, min(content.Size(), maxLoader))
	if _, err := content.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, info, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, info, nil
}
