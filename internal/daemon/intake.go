package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// intake tells the queue what its entries are. It reads headers and descriptors, never content, and changes nothing; an image
// that it cannot make sense of is left to the job's child, which fails it by name.
type intake struct {
	settings func() Settings
	trust    trust
	clock    func() time.Time
	log      *slog.Logger
}

// payload is what the intake found out and the job wants to know again: the manifest's answers, if there is one.
type payload struct {
	Draft *manifest.Draft // nil for a lone disk, folder or package

	// For a manifest whose author may not name any path:
	Roots      map[string]string // the import root of each absolute source
	OutputRoot string            // the output root of its output directory, "" where it names none
}

// The endings by which an entry is told apart before anything is opened. Content decides what an image is; the ending decides
// only whether a file means to be a job at all.
var (
	manifestEndings = []string{".yaml", ".yml", ".json"}
	diskEndings     = []string{
		".vmdk", ".vhd", ".vhdx", ".avhdx", ".avhd", ".vdi", ".qcow2", ".qcow", ".raw", ".img", ".ami", ".bin",
	}
	// companionEndings belong to a VM but are never a job: they travel with what names them, or stay.
	companionEndings = []string{
		".mf", ".cert", ".nvram", ".vmxf", ".vmsd", ".vmsn", ".vmss", ".vmem", ".log", ".lck", ".vswp", ".mrt", ".rct", ".sha256", ".md5", ".sha1",
	}
)

// mayName reports whether an entry of that name may say which other entries belong to it.
func mayName(name string) bool {
	ending := strings.ToLower(filepath.Ext(name))
	return oneOf(manifestEndings, ending) || ending == ".ovf" || ending == ".vmx"
}

// extentName matches the names that VMware gives to the data files of a descriptor; the group is the descriptor's stem.
var extentName = regexp.MustCompile(`(?i)^(.+?)(?:-\d{6})?-(?:flat|delta|sesparse|ctk|rdm|rdmp|[sf]\d{3})\.vmdk$`)

// secondDisk matches the names that VMware and Hyper-V give to the further disks of a VM; the group is the first disk's stem.
var secondDisk = regexp.MustCompile(`^(.+)_\d{1,2}$`)

// Examine says what an entry is.
func (in *intake) Examine(ctx context.Context, e queue.Entry) (queue.Need, error) {
	if e.Dir {
		return in.folder(ctx, e)
	}
	ending := strings.ToLower(filepath.Ext(e.Name))
	switch {
	case oneOf(manifestEndings, ending):
		return in.manifest(ctx, e, false)
	case ending == ".ova":
		return in.ova(e)
	case ending == ".ovf":
		return in.described(ctx, e, "ovf")
	case ending == ".vmx":
		return in.described(ctx, e, "vmx")
	case oneOf(companionEndings, ending):
		return queue.Need{Ignore: "a companion of a disk, not a disk: it travels with the OVF, VMX or manifest that names it"}, nil
	case oneOf(diskEndings, diskEnding(e.Name)):
		return in.disk(ctx, e)
	}
	return in.stranger(ctx, e)
}

// disk examines an image: which extents and parents it needs, whether it is whole, and whether it is one that waits for another.
func (in *intake) disk(ctx context.Context, e queue.Entry) (queue.Need, error) {
	need := queue.Need{Kind: "disk"}
	if m := extentName.FindStringSubmatch(e.Name); m != nil {
		need.Hold = fmt.Sprintf("an extent of %s.vmdk: it waits for the descriptor that names it", m[1])
		return need, nil
	}
	ending := fullEnding(e.Name)
	if m := secondDisk.FindStringSubmatch(strings.TrimSuffix(e.Name, ending)); m != nil && in.beside(e, m[1]+ending) {
		need.Hold = fmt.Sprintf("looks like a further disk of %s: put both into one folder or manifest, or release it to run alone", m[1]+ending)
		return need, nil
	}
	if in.settings().Mode == ModeManifest {
		need.Hold = "mode is manifest: it waits for a manifest that names it, or for its release"
		return need, nil
	}
	members, err := in.companions(ctx, e.Path)
	need.Members = beside(members)
	if err != nil {
		return in.unready(e, need, err), nil
	}
	return need, nil
}

// fullEnding is the ending of a name, with that of a compressed file behind it: .vmdk.gz.
func fullEnding(name string) string {
	plain := packed.PlainName(name)
	return filepath.Ext(plain) + name[len(plain):]
}

// diskEnding is the ending that says which image a file is, in lower case, compressed or not.
func diskEnding(name string) string { return strings.ToLower(filepath.Ext(packed.PlainName(name))) }

// stranger is a file whose ending says nothing: a job only if its content is an image that can be told from noise.
func (in *intake) stranger(ctx context.Context, e queue.Entry) (queue.Need, error) {
	if format := in.signature(e.Path); format != "" {
		return in.disk(ctx, e)
	}
	return queue.Need{Ignore: "neither its name nor its content is that of a disk image, an OVF package or a manifest; rename a raw disk to end in .img or .raw"}, nil
}

// beside reports whether the drop zone holds another entry of that name.
func (in *intake) beside(e queue.Entry, name string) bool {
	if name == e.Name {
		return false
	}
	_, err := os.Lstat(filepath.Join(filepath.Dir(e.Path), name))
	return err == nil
}

// unready turns the failure to open an image into a wait, where time may cure it, and into a job that fails by name, where it
// will not: the child finds the same and says it with a code.
func (in *intake) unready(e queue.Entry, need queue.Need, err error) queue.Need {
	if !mayCome(err) {
		in.log.Debug("examine", "entry", e.Name, "error", err)
		return need
	}
	until := time.Unix(0, e.Identity.MtimeNS).Add(in.settings().TruncatedGrace)
	if in.clock().Before(until) {
		need.Wait = "incomplete: " + err.Error()
	}
	return need
}

// mayCome reports whether time may bring what an image lacks: it ends before what it says of itself, or has a parent that it cannot
// name, so that nothing else waits for it.
func mayCome(err error) bool {
	return errors.Is(err, disk.ErrTruncated) || errors.Is(err, disk.ErrMissing) || errors.Is(err, machine.ErrTruncated)
}

func oneOf(list []string, s string) bool { return slices.Contains(list, s) }
