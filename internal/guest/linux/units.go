package linux

import (
	"context"
	"io/fs"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// unitDir is where an administrator's units are; those that packages bring name no disks.
const unitDir = "/etc/systemd/system"

// unitsFixer gives mount and swap units of systemd devices that hold on every controller.
type unitsFixer struct{ mode string }

// Name implements guest.Fixer.
func (unitsFixer) Name() string { return "units" }

// Plan implements guest.Fixer.
func (f unitsFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	d, err := newDevices(ctx, files, system)
	if err != nil {
		return guest.Proposal{}, err
	}
	names, err := files.list(ctx, unitDir, ".mount", ".swap", ".mount.d")
	if err != nil {
		return guest.Proposal{}, err
	}
	for _, name := range names {
		if err := f.unit(ctx, d, files, name); err != nil {
			return guest.Proposal{}, err
		}
	}
	return files.proposal, nil
}

const unitWhy = "the unit's device is named by what stays the same on virtio"

// unit proposes the edit of one unit, or of the drop-ins of one.
func (f unitsFixer) unit(ctx context.Context, d *devices, files *fileSet, name string) error {
	if strings.HasSuffix(name, ".d") {
		parts, err := files.list(ctx, name, ".conf")
		if err != nil {
			return err
		}
		return files.edit(ctx, parts, unitWhy, func(name, content string) string { return f.rewrite(d, files, name, content) })
	}
	at, content, err := files.read(ctx, name)
	if err != nil || at == "" || len(content) == 0 || path.Dir(at) != unitDir {
		return err
	}
	changed := f.rewrite(d, files, at, string(content))
	if changed == string(content) {
		return nil
	}
	if !strings.HasSuffix(at, ".swap") {
		return files.put(ctx, at, unitWhy, changed)
	}
	return f.renameSwap(ctx, files, at, changed)
}

// renameSwap proposes a swap unit under its new device's name, for systemd takes no other, and the links that want it.
func (f unitsFixer) renameSwap(ctx context.Context, files *fileSet, at, content string) error {
	what := unitValue(content, "What")
	renamed := path.Join(unitDir, unitEscape(what)+".swap")
	before, err := guest.Read(ctx, files.tree, at)
	if err != nil {
		return err
	}
	if there, err := files.real(ctx, renamed); err != nil || there != "" {
		files.warn("Look at the swap units in the guest.", "%q is kept: there is a unit for its stable name already", at)
		return err
	}
	why := "a swap unit has the name of its device, and that changed"
	after := *before
	after.Data = []byte(content)
	files.proposal.Changes = append(files.proposal.Changes, guest.Change{Path: renamed, Why: why, After: &after})
	if err := files.remove(ctx, at, why); err != nil {
		return err
	}
	dirs, err := files.list(ctx, unitDir, ".wants", ".requires")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		link := path.Join(dir, path.Base(at))
		info, err := files.tree.Lstat(ctx, link)
		if err != nil || info.Mode&fs.ModeSymlink == 0 {
			continue // not wanted from here
		}
		if err := files.remove(ctx, link, why); err != nil {
			return err
		}
		files.proposal.Changes = append(files.proposal.Changes, guest.Change{
			Path: path.Join(dir, path.Base(renamed)), Why: why,
			After: &guest.File{Link: renamed, Mode: fs.ModeSymlink | 0o777, UID: info.UID, GID: info.GID},
		})
	}
	return nil
}

// rewrite returns a unit with stable names: What=, and the devices that it waits for.
func (f unitsFixer) rewrite(d *devices, files *fileSet, name, content string) string {
	want := strings.ToLower(unitValue(content, "Type"))
	if want == "none" || strings.Contains(unitValue(content, "Options"), "bind") {
		return content
	}
	if strings.HasSuffix(name, ".swap") {
		want = "swap"
	}
	u := use{spec: unitValue(content, "What"), want: want, root: unitValue(content, "Where") == "/"}
	if !strings.HasPrefix(u.spec, "/dev/") || !touches(f.mode, u.spec) {
		return content
	}
	found := d.find(u, d.aliases([]use{u}))
	id, ok := "", false
	if found.fate == fateFound {
		id, ok = d.write(found.volume, idForm{path: true})
	}
	if !ok {
		if found.fate == fateLost || found.fate == fateFound {
			files.warn("Look at the unit in the guest.", "%q keeps its device %q: it has no name that is sure to stay", name, u.spec)
		}
		return content
	}
	var out strings.Builder
	for line := range strings.Lines(content) {
		key, value, ok := strings.Cut(line, "=")
		switch {
		case !ok || strings.HasPrefix(strings.TrimSpace(line), "#") || strings.HasPrefix(strings.TrimSpace(line), ";"):
		case strings.TrimSpace(key) == "What":
			line = key + "=" + strings.Replace(value, u.spec, id, 1)
		default:
			line = key + "=" + strings.ReplaceAll(value, unitEscape(u.spec)+".device", unitEscape(id)+".device")
		}
		out.WriteString(line)
	}
	return out.String()
}

// unitValue returns the last value of a key in a unit.
func unitValue(content, key string) string {
	value := ""
	for line := range strings.Lines(content) {
		if k, v, ok := strings.Cut(line, "="); ok && strings.TrimSpace(k) == key {
			value = strings.TrimSpace(v)
		}
	}
	return value
}

// unitEscape writes a path as the name of a unit, as systemd-escape --path does.
func unitEscape(name string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i, c := range []byte(strings.Trim(path.Clean(name), "/")) {
		switch {
		case c == '/':
			b.WriteByte('-')
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ':', c == '_', c == '.' && i > 0:
			b.WriteByte(c)
		default:
			b.WriteString(`\x` + string([]byte{hex[c>>4], hex[c&15]}))
		}
	}
	return b.String()
}
