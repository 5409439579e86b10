package linux

import (
	"context"
	"fmt"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/initramfs"
)

// imageTool is a program that builds an initramfs.
type imageTool struct {
	kind     string   // of the images that it builds
	programs []string // where it may be
	found    string   // where it is
	// configure edits the tool's configuration, so that later kernels get the drivers too. modules are those of the newest kernel that is
	// built for. nil: nothing is to be edited.
	configure func(ctx context.Context, tree guest.FS, modules []string, p *guest.Proposal) error
	// arguments are those of the command that builds one image.
	arguments func(ctx context.Context, tree guest.FS, t *imageTool, r rebuild, p *guest.Proposal) (toolCall, error)
	// around edits what must only be so while the images are built; the changes go before and after the commands.
	around func(ctx context.Context, tree guest.FS) (before, after []guest.Change, err error)
}

// toolCall is how an image is built.
type toolCall struct {
	args  []string
	makes string // where the tool does not take a name; "" = where it was told
	need  int64  // bytes that the new image may have
}

// imageTools are in the order in which they are looked for, where the image does not tell: a system that has dracut beside an old
// mkinitrd has that as a name for dracut.
func imageTools() []imageTool {
	return []imageTool{
		{kind: initramfs.KindDracut, programs: []string{"/usr/bin/dracut", "/usr/sbin/dracut", "/sbin/dracut"}, configure: configureDracut, arguments: dracutCall},
		{kind: initramfs.KindInitramfsTools, programs: []string{"/usr/sbin/mkinitramfs", "/usr/bin/mkinitramfs"}, configure: configureInitramfsTools, arguments: mkinitramfsCall, around: mostModules},
		{kind: initramfs.KindMkinitcpio, programs: []string{"/usr/bin/mkinitcpio", "/sbin/mkinitcpio"}, configure: configureMkinitcpio, arguments: mkinitcpioCall},
		{kind: initramfs.KindMkinitfs, programs: []string{"/sbin/mkinitfs", "/usr/sbin/mkinitfs", "/usr/bin/mkinitfs"}, configure: configureMkinitfs, arguments: mkinitfsCall},
		{kind: initramfs.KindBooster, programs: []string{"/usr/bin/booster"}, configure: configureBooster, arguments: boosterCall},
		{kind: initramfs.KindMakeInitrd, programs: []string{"/usr/sbin/make-initrd", "/sbin/make-initrd", "/usr/bin/make-initrd"}, configure: configureMakeInitrd, arguments: makeInitrdCall},
		{kind: initramfs.KindMkinitrd, programs: []string{"/sbin/mkinitrd", "/usr/sbin/mkinitrd"}, configure: configureMkinitrd, arguments: mkinitrdCall},
	}
}

// findTool returns the tool that built the image, if it is in the guest, else the first that is; nil for none.
func findTool(ctx context.Context, tree guest.FS, image initramfs.Contents) (*imageTool, error) {
	var first *imageTool
	for _, t := range imageTools() {
		var err error
		if t.found, err = lookFirst(ctx, tree, t.programs...); err != nil {
			return nil, err
		}
		switch {
		case t.found == "":
		case image.Is(t.kind):
			return &t, nil
		case first == nil:
			first = &t
		}
	}
	return first, nil
}

// plan adds what builds the images: first the configuration, then one command for each kernel.
func (t *imageTool) plan(ctx context.Context, tree guest.FS, todo []rebuild, p *guest.Proposal) error {
	if t.configure != nil {
		if err := t.configure(ctx, tree, todo[0].modules, p); err != nil {
			return err
		}
	}
	var after []guest.Change
	if t.around != nil {
		before, behind, err := t.around(ctx, tree)
		if err != nil {
			return err
		}
		p.Changes, after = append(p.Changes, before...), behind
	}
	for _, r := range todo {
		call, err := t.arguments(ctx, tree, t, r, p)
		if err != nil {
			return err
		}
		if call.args == nil {
			continue
		}
		if call.makes == "" {
			call.makes = r.makesName()
		}
		p.Changes = append(p.Changes, guest.Change{Path: r.path, Why: r.why(), Run: &guest.Command{
			Args: call.args, Makes: call.makes, NeedBytes: call.need,
			Proof: fmt.Sprintf("virtio_blk and virtio_pci are in the new image for %s, with all that they need, and what / stands on", r.look.kernel.Version),
			Prove: r.prove(call.makes),
			// A rescue kernel starts nothing by itself, and an image that is broken as it comes cannot be made worse.
			Optional: rescueKernel(r.look.kernel) || r.look.failed != nil,
		}})
	}
	p.Changes = append(p.Changes, after...)
	return nil
}

// Room for images. A new one of the same make is some drivers larger; one for every machine, in the place of one for this machine, is
// several times as large. More is not asked for: /boot of RHEL 5 has 100 MB, that of RHEL 7 500 MB, for up to five kernels.
const (
	imageSlack   = 4 << 20
	genericSlack = 32 << 20
)

// sameRoom is what an image of the same make may need.
func (r rebuild) sameRoom() int64 { return r.oldSize + r.oldSize/2 + imageSlack }

// genericRoom is what an image with all drivers may need. That of a rescue kernel is such a one, and tells it better than any rule.
func (r rebuild) genericRoom() int64 {
	if r.rescueSize > 0 {
		return r.rescueSize + r.rescueSize/8 + imageSlack
	}
	return 2*r.oldSize + genericSlack
}

// editConfig reads a file over links, has it edited, and proposes the edit. A file that is not there is made, if make is set.
func editConfig(ctx context.Context, tree guest.FS, p *guest.Proposal, name, why string, create bool, edit func(content string) string) error {
	at, err := guest.Resolve(ctx, tree, name)
	if err != nil {
		return err
	}
	b, ok, err := lookFile(ctx, tree, at)
	if err != nil || !ok && !create {
		return err
	}
	after := edit(string(b))
	if after == string(b) {
		return nil
	}
	c, changed, err := guest.Create(ctx, tree, at, why, []byte(after), 0o644)
	if changed {
		p.Changes = append(p.Changes, c)
	}
	return err
}

// laterKernels is why a configuration is edited.
func laterKernels(modules []string) string {
	return "images of kernels that are installed later need " + strings.Join(modules, " ") + " too"
}

// missingWords returns the words of want that have does not hold.
func missingWords(want, have []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, h := range have {
		seen[strings.ReplaceAll(h, "-", "_")] = true
	}
	for _, w := range want {
		if !seen[w] {
			out = append(out, w)
		}
	}
	return out
}

// configLines appends lines to a file, which may lack the end of its last.
func configLines(content string, lines ...string) string {
	if len(lines) == 0 {
		return content
	}
	if content != "" && !strings.HasSuffix(content, "\n") {
		content += "\n"
	}
	return content + strings.Join(lines, "\n") + "\n"
}
