package convert

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/linux"
	"hyper2kvm/internal/manifest"
)

// repairs are the fixers that a job asks for, in order. Windows guests have none: they are recognised and never half-fixed.
func repairs(r *Run, packages []string) []guest.Fixer {
	if r.System.Family != guest.FamilyLinux {
		return nil
	}
	f := r.Request.Job.Fix
	o := linux.Options{
		BootLoader: f.Grub, SerialConsole: f.SerialConsole, Initramfs: f.Initramfs, RemoveTools: f.RemoveVMwareTools, AgentPackages: packages,
	}
	if f.Fstab {
		o.FstabMode = f.FstabMode
	}
	if f.Network {
		o.Network = f.NetworkLevel
	}
	for _, n := range r.Machine.NICs {
		o.NICs = append(o.NICs, guest.NIC{MAC: n.MAC, Model: n.Model, Slot: n.Slot})
	}
	return linux.Fixers(o)
}

// repair plans the changes, makes them on the overlays, trims, and proves what came of it.
func (r *Run) repair(ctx context.Context) error {
	packages, err := r.bringPackages(ctx)
	if err != nil {
		return err
	}
	work, err := guest.NewWork(ctx, r.System, r.session, repairs(r, packages))
	if err != nil {
		return err
	}
	r.warnGuest(work.Warnings)
	for _, w := range work.Warnings {
		r.unclear = append(r.unclear, w.Fixer)
	}
	if r.Request.Job.DryRun {
		for _, c := range work.Changes {
			r.reportRepair(guest.Done{Change: c})
		}
		return nil
	}
	r.undo = newUndo(filepath.Join(r.Request.Partial, undoName))
	done, err := guest.Apply(ctx, r.session, work.Changes, &journal{r}, r.Clock)
	for _, d := range done {
		r.reportRepair(d)
		if d.Failed != "" {
			r.warn(manifest.Warning{Code: manifest.CodeFixLeftOut, Message: d.Fixer + ": " + d.Failed})
		}
	}
	if err := errors.Join(err, r.undo.close()); err != nil {
		return err
	}
	warnings, err := r.session.Label(ctx, written(done))
	if err != nil {
		return err
	}
	r.warnGuest(warnings)
	for _, name := range packages {
		if err := r.session.Remove(ctx, name); err != nil {
			return err
		}
	}
	if r.System.Family == guest.FamilyLinux {
		if r.Virtio, err = linux.Virtio(ctx, r.session, r.System); err != nil {
			return err
		}
		r.Events.Log(r.stage, oneLine(r.Virtio.Why))
	}
	if r.Request.Job.Fix.Compact {
		warnings, err := r.session.Trim(ctx)
		if err != nil {
			return err
		}
		r.warnGuest(warnings)
	}
	return nil
}

// written are the files that changes left in the guest.
func written(done []guest.Done) []string {
	var names []string
	for _, d := range done {
		if d.Path != "" && d.Failed == "" && (d.After != nil || d.Run != nil) {
			names = append(names, d.Path)
		}
	}
	return names
}

// maxRepairTexts bounds the diffs and outputs of all changes in one report, in bytes: written as JSON, which makes some bytes six times as
// long, it must still fit into the message that carries the report.
const maxRepairTexts = 2 << 20

// reportRepair adds a change to the report; when its texts have become too long, without them.
func (r *Run) reportRepair(d guest.Done) {
	repair := repairOf(d)
	had := 0
	for _, p := range r.Repairs {
		had += len(p.Diff) + len(p.Output)
	}
	if had+len(repair.Diff)+len(repair.Output) > maxRepairTexts {
		left := fmt.Sprintf("left out: the report is too long already (%d bytes)\n", len(repair.Diff)+len(repair.Output))
		if repair.Diff != "" {
			repair.Diff = left
		}
		if repair.Output != "" {
			repair.Output = left
		}
	}
	r.Repairs = append(r.Repairs, repair)
}

// repairOf is a change as the report has it.
func repairOf(d guest.Done) manifest.Repair {
	out := manifest.Repair{
		Fixer: d.Fixer, Path: d.Path, Why: d.Why, Diff: d.Diff(), Output: d.Output, Failed: d.Failed, Seconds: d.Seconds,
	}
	if d.Run != nil {
		out.Command, out.Proof = d.Run.Args, d.Run.Proof
	}
	return out
}

// journal logs what is done and keeps what was there before.
type journal struct{ r *Run }

// Log implements guest.Journal.
func (j *journal) Log(line string) { j.r.Events.Log(j.r.stage, oneLine(line)) }

// Keep implements guest.Journal.
func (j *journal) Keep(ctx context.Context, tree guest.FS, name string) error {
	return j.r.undo.keep(ctx, tree, name)
}

// undoName is the archive in the output directory with every file of the guest that was edited, replaced or removed, as it was. What tar
// -C / -x of it inside the guest does not take back stands in the report: files that are new, and what commands of the guest's did.
const undoName = "undo.tar"

// undo writes the archive. The file is made with its first member, so that a guest that needed nothing has none.
type undo struct {
	path string
	f    *os.File
	w    *tar.Writer
	has  map[string]bool
}

func newUndo(path string) *undo { return &undo{path: path, has: map[string]bool{}} }

// keep adds a file as it stands, once.
func (u *undo) keep(ctx context.Context, tree guest.FS, name string) error {
	if u.has[name] {
		return nil
	}
	info, err := tree.Lstat(ctx, name)
	if err != nil {
		return err
	}
	h := &tar.Header{
		Name: strings.TrimPrefix(path.Clean(name), "/"), Mode: tarMode(info.Mode), Uid: info.UID, Gid: info.GID, Format: tar.FormatPAX,
	}
	var content io.Reader = strings.NewReader("")
	if info.Mode&fs.ModeSymlink != 0 {
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = tree.Readlink(ctx, name); err != nil {
			return err
		}
	} else {
		c, err := tree.Open(ctx, name)
		if err != nil {
			return err
		}
		defer c.Close()
		h.Typeflag, h.Size, content = tar.TypeReg, c.Size(), io.NewSectionReader(c, 0, c.Size())
	}
	if u.f == nil {
		if u.f, err = os.OpenFile(u.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, outputMode); err != nil {
			return marked(err)
		}
		u.w = tar.NewWriter(u.f)
	}
	if err := u.w.WriteHeader(h); err != nil {
		return marked(err)
	}
	if _, err := io.Copy(u.w, content); err != nil {
		return fmt.Errorf("keep %s: %w", name, err)
	}
	u.has[name] = true
	return nil
}

// tarMode is a mode as tar has it: permissions and set-id bits (POSIX, pax: ustar interchange format).
func tarMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&bit != 0 {
			mode |= value
		}
	}
	return mode
}

// close ends the archive and writes it out.
func (u *undo) close() error {
	if u.f == nil {
		return nil
	}
	f := u.f
	u.f = nil
	return marked(errors.Join(u.w.Close(), f.Sync(), f.Close()))
}

// bringPackages puts the packages of qemu-guest-agent that fit into the guest, and returns where they lie there. A dry run only says where
// they would.
func (r *Run) bringPackages(ctx context.Context) ([]string, error) {
	dir := r.Request.Guest.AgentPackages
	ending := map[string]string{"dpkg": ".deb", "rpm": ".rpm"}[r.System.Packages]
	if dir == "" || ending == "" || slices.Contains(r.System.Tools, "qemu-guest-agent") {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		r.warn(manifest.Warning{Code: manifest.CodeFixLeftOut, Message: "qemu-guest-agent is not installed: " + err.Error(), Hint: "correct agent_packages in the daemon's configuration"})
		return nil, nil
	}
	var brought []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ending) || !e.Type().IsRegular() {
			continue
		}
		name := "/var/tmp/hyper2kvm-" + e.Name()
		brought = append(brought, name)
		if r.Request.Job.DryRun {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		if err := r.session.Write(ctx, name, guest.File{Data: b, Mode: 0o600}); err != nil {
			return nil, err
		}
	}
	return brought, nil
}

// swapSources ends the appliance and lets CONVERT read the overlays over the sources.
func (r *Run) swapSources(ctx context.Context) error {
	s := r.session
	if err := s.close(ctx); err != nil {
		return errors.Join(err, r.closeSession(ctx))
	}
	for i := range r.Sources {
		img, err := s.over(ctx, i, r.Sources[i].Image)
		if err != nil {
			return errors.Join(err, r.closeSession(ctx))
		}
		r.repaired = append(r.repaired, img)
	}
	for i, img := range r.repaired {
		allocated, _, err := measure(ctx, img)
		if err != nil {
			return errors.Join(err, r.closeSession(ctx))
		}
		r.Plan.Disks[i].ReadBytes = allocated
		r.Sources[i].Image = img
	}
	return r.closeSession(ctx)
}

// took is a duration as a report has it: seconds with three decimals.
func took(d time.Duration) float64 {
	return float64(max(d, 0).Round(time.Millisecond).Milliseconds()) / 1000
}
