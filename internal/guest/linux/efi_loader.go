package linux

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// maxMenuWrapper is how large a grub.cfg may be that is copied: those that lead to another one are a few lines.
const maxMenuWrapper = 4 << 10

// efiChain is one way to start: a first loader and what it loads from its own directory.
type efiChain struct {
	first string
	next  []string // one of them must be there, all that are there are copied
	also  []string // copied where they are there
}

// chains are the ways to start in the order in which they are taken. shim starts the second loader and its key tool by fixed names; SUSE
// has names of its own.
func (e *efiTree) chains() []efiChain {
	x := e.suffix
	second, keys := []string{"grub" + x + ".efi"}, []string{"mm" + x + ".efi", "mokmanager.efi"}
	return []efiChain{
		{first: "shim" + x + ".efi", next: second, also: keys},
		{first: "shim.efi", next: []string{"grub.efi"}, also: append(second, keys...)},
		{first: "grub" + x + ".efi"},
		{first: "systemd-boot" + x + ".efi"},
	}
}

// choose returns the vendor's directory below EFI that is started from, and what is copied from there to EFI/BOOT.
func (e *efiTree) choose(ctx context.Context, efi, loader string) (vendor string, files []copied, err error) {
	entries, err := e.files.list(ctx, efi, "")
	if err != nil {
		return "", nil, err
	}
	for _, chain := range e.chains() {
		best := -1
		for _, dir := range entries {
			if name := strings.ToLower(path.Base(dir)); name == "microsoft" || name == "boot" {
				continue
			}
			found, score, err := e.chain(ctx, dir, chain, loader)
			if err != nil {
				return "", nil, err
			}
			if len(found) > 0 && score > best {
				vendor, files, best = dir, found, score
			}
		}
		if best >= 0 {
			return vendor, files, nil
		}
	}
	return "", nil, nil
}

// chain looks for one way to start in one directory; one that is configured there counts more.
func (e *efiTree) chain(ctx context.Context, dir string, chain efiChain, loader string) (files []copied, score int, err error) {
	first, err := e.find(ctx, dir, chain.first)
	if err != nil || first == "" {
		return nil, 0, err
	}
	files = []copied{{first, loader}}
	second := len(chain.next) == 0
	for i, name := range append(append([]string(nil), chain.next...), chain.also...) {
		from, err := e.find(ctx, dir, name)
		if err != nil {
			return nil, 0, err
		}
		if from != "" {
			files = append(files, copied{from, path.Base(from)})
			second = second || i < len(chain.next)
		}
	}
	if !second {
		return nil, 0, nil
	}
	cfg, err := e.find(ctx, dir, "grub.cfg")
	if cfg != "" {
		score = 1
	}
	return files, score, err
}

// config proposes the grub.cfg that a GRUB in EFI/BOOT needs where the vendor's directory is not built into it: a copy of one that only
// leads on, else one that leads to the vendor's, which the guest keeps up to date.
func (e *efiTree) config(ctx context.Context, vendor, boot string, files []copied) (*guest.Change, error) {
	cfg, err := e.find(ctx, vendor, "grub.cfg")
	if err != nil || cfg == "" {
		return nil, err
	}
	if there, err := e.find(ctx, boot, "grub.cfg"); err != nil || there != "" {
		return nil, err
	}
	if !plainID(path.Base(vendor), false) {
		return nil, nil // a name from the disk that could mean something to GRUB
	}
	inside := "/EFI/" + path.Base(vendor)
	for _, f := range files {
		data, _, err := e.load(ctx, f.from)
		if err != nil {
			return nil, err
		}
		if bytes.Contains(bytes.ToLower(data), []byte(strings.ToLower(inside))) {
			return nil, nil
		}
	}
	at, content, err := e.files.read(ctx, cfg)
	if err != nil || at == "" {
		return nil, err
	}
	if len(content) > maxMenuWrapper || !leadsOn(string(content)) {
		content = fmt.Appendf(nil, "set prefix=($root)%s\nconfigfile ($root)%s/%s\n", inside, inside, path.Base(cfg))
	}
	info, err := e.files.tree.Stat(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &guest.Change{
		Path: path.Join(boot, "grub.cfg"), Why: "the loader beside it looks for its menu here",
		After: &guest.File{Data: content, Mode: info.Mode, UID: info.UID, GID: info.GID},
	}, nil
}

// leadsOn reports whether a grub.cfg only leads to another one.
func leadsOn(content string) bool {
	leads := false
	for line := range strings.Lines(content) {
		word, _ := cutField(strings.TrimSpace(line))
		switch word {
		case "configfile", "normal":
			leads = true
		case "menuentry", "linux", "linuxefi", "blscfg":
			return false
		}
	}
	return leads
}
