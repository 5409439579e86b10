package convert

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/linux"
	"hyper2kvm/internal/guest/windows"
	"hyper2kvm/internal/manifest"
)

// overlayRoom is what a run sets aside for the changes of FIX: a new initramfs for each of several kernels beside the old one, replayed
// journals, and as much again in the output.
const overlayRoom = 2 << 30

// Reserves is how many bytes a job sets aside for its output before it writes, and for repairs where its guest will be opened; 0 when
// that is not known before a source is unpacked.
func (p Plan) Reserves(job manifest.Job) int64 {
	if p.MaxBytes == 0 || !looksInto(job) || p.noGuests != "" {
		return p.MaxBytes
	}
	return p.MaxBytes + overlayRoom
}

// looksInto reports whether a job wants its guest to be opened: to be repaired, or to know what it is.
func looksInto(job manifest.Job) bool {
	return wantsRepairs(job.Fix) || job.Inspect.Enabled && job.Inspect.DetectOS
}

// openGuest opens the guest and fills System and Virtio. Where that cannot be, noRepair says why, and the job goes on with a warning:
// only what its own manifest asks for can fail it here.
func openGuest(ctx context.Context, r *Run) error {
	if why := guestless(r); why != "" {
		r.noRepair = why
		return nil
	}
	err := r.lookInside(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil || isDiskError(err):
		return err
	case errors.Is(err, guest.ErrNoSystem):
		r.noRepair = "no operating system was found on the disks"
		r.warn(manifest.Warning{Code: manifest.CodeGuestUnknown, Message: r.noRepair + ": nothing is repaired"})
		return r.closeSession(ctx)
	case len(askedRepairs(r.Request.Job)) > 0:
		return errors.Join(guestError(err), r.closeSession(ctx))
	}
	r.noRepair = "the guest could not be opened: " + oneLine(err.Error())
	coded := guestError(err)
	r.warn(manifest.Warning{Code: coded.Code, Message: r.noRepair + "; it is converted as it is", Hint: coded.Hint})
	return r.closeSession(ctx)
}

// guestless says why there is no guest to open.
func guestless(r *Run) string {
	switch {
	case !looksInto(r.Request.Job):
		return skipAsked
	case r.Request.Job.Inspect.Enabled && !slices.ContainsFunc(r.Guest.Disks, func(d guest.DiskFacts) bool { return d.HasGuestOS }):
		return "the disks hold no partition table, file system, LVM or LUKS: there is no guest to repair"
	}
	return r.Plan.noGuests
}

// lookInside starts the appliance over all disks together and reads what the guest is.
func (r *Run) lookInside(ctx context.Context) error {
	if !r.Request.Job.DryRun {
		u := &unpacker{run: r, stored: r.unpacked}
		if err := u.reserve(ctx, r.unpacked+r.Plan.MaxBytes+overlayRoom, r.unpacked); err != nil {
			return fmt.Errorf("reserve %s for the output and the repairs: %w", sizeText(r.Plan.MaxBytes+overlayRoom), err)
		}
	}
	keys, err := r.passphrases()
	if err != nil {
		return err
	}
	images := make([]disk.Image, len(r.Sources))
	for i, s := range r.Sources {
		images[i] = s.Image
	}
	if r.session, err = r.openSession(ctx, "source", images); err != nil {
		return err
	}
	var warnings []guest.Warning
	if r.System, warnings, err = r.session.Inspect(ctx, keys, r.Guest.BootDisk); err != nil {
		return r.session.fault(err)
	}
	r.warnGuest(warnings)
	r.System.Firmware = r.Guest.Firmware
	if err := r.unclean(); err != nil {
		return err
	}
	warnings, err = r.session.Mount(ctx, &r.System, wantsRepairs(r.Request.Job.Fix) && !r.Request.Job.DryRun)
	if err != nil {
		return r.session.fault(err)
	}
	r.warnGuest(warnings)
	if err := r.readSystem(ctx); err != nil {
		return r.session.fault(err)
	}
	r.Events.Log(r.stage, oneLine("found "+systemText(r.System)+"; "+r.Virtio.Why))
	if !wantsRepairs(r.Request.Job.Fix) {
		return r.closeSession(ctx)
	}
	return nil
}

// unclean is the error of a guest that must not be written: it is named before any work.
func (r *Run) unclean() error {
	switch {
	case !wantsRepairs(r.Request.Job.Fix):
		return nil
	case r.System.Hibernated:
		return fmt.Errorf("%w: the guest is hibernated, or was shut down with Fast Startup", guest.ErrUnclean)
	case r.System.Dirty:
		return fmt.Errorf("%w: %s", guest.ErrUnclean, r.System.DirtyWhy)
	}
	return nil
}

// readSystem fills what the mounted tree tells, and what is proved of virtio.
func (r *Run) readSystem(ctx context.Context) error {
	switch r.System.Family {
	case guest.FamilyLinux:
		if err := linux.Inspect(ctx, r.session, &r.System); err != nil {
			return err
		}
		var err error
		r.Virtio, err = linux.Virtio(ctx, r.session, r.System)
		return err
	case guest.FamilyWindows:
		return r.readWindows(ctx)
	default:
		r.Virtio = linux.Readiness{Why: "the guest is of a family that is not looked into"}
	}
	return nil
}

// readWindows fills what the registry tells. A hive that cannot be read takes virtio away and nothing else: nothing is repaired.
func (r *Run) readWindows(ctx context.Context) error {
	var ready windows.Readiness
	err := windows.Inspect(ctx, r.session, &r.System)
	if err == nil {
		ready, err = windows.Virtio(ctx, r.session)
	}
	switch {
	case errors.Is(err, windows.ErrHive):
		ready.Why = oneLine(err.Error())
	case err != nil:
		return err
	}
	r.Virtio = linux.Readiness{Block: ready.Block, SCSI: ready.SCSI, Net: ready.Net, Why: ready.Why}
	r.warnAdvice(windows.Advice(r.System, ready))
	return nil
}

// passphrases reads the job's file of keys. A line is a passphrase that is tried on every encrypted volume, or one for a single volume
// behind its device or UUID and an equals sign: /dev/sda2=secret. Blank lines and those that begin with # are left out.
func (r *Run) passphrases() (map[string]string, error) {
	name := r.Request.Job.Fix.KeyFile
	if name == "" {
		return nil, nil
	}
	g := &gatherer{req: r.Request, opened: r.opened}
	hostPath, err := g.hostPath(name)
	if err != nil {
		return nil, err
	}
	f, err := disk.OpenFile(hostPath)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	if f.Size() > maxKeyFile {
		return nil, coded(manifest.CodeManifestLimit, "a key file holds passphrases, one a line",
			fmt.Errorf("key file %q has %d bytes, at most %d are read", name, f.Size(), maxKeyFile))
	}
	b := make([]byte, f.Size())
	if _, err := f.ReadAt(b, 0); err != nil && f.Size() > 0 {
		return nil, fmt.Errorf("key file: %w", err)
	}
	keys := map[string]string{}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		volume, key := "", line
		if before, after, found := strings.Cut(line, "="); found && volumeName.MatchString(before) {
			volume, key = before, after
		}
		if _, twice := keys[volume]; twice {
			return nil, coded(manifest.CodeManifestLimit, "write a line for each volume: DEVICE=PASSPHRASE, or UUID=PASSPHRASE",
				fmt.Errorf("key file %q has two passphrases for the same volume, or for any", name))
		}
		keys[volume] = key
	}
	return keys, nil
}

// volumeName is a device, or the UUID of an encrypted volume.
var volumeName = regexp.MustCompile(`^(/dev/[A-Za-z0-9/_-]+|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$`)

// maxKeyFile bounds a file of passphrases.
const maxKeyFile = 64 << 10

// closeSession ends the look into the sources without keeping anything.
func (r *Run) closeSession(_ context.Context) error {
	if r.session == nil {
		return nil
	}
	s := r.session
	r.session = nil
	return s.end()
}

// maxGuestWarnings is how many warnings one look at a guest may add to the report: a guest of somebody who means harm has any number.
const maxGuestWarnings = 200

// warnGuest hands on what was left out in the guest.
func (r *Run) warnGuest(warnings []guest.Warning) { r.warnAll(manifest.CodeFixLeftOut, warnings) }

func (r *Run) warnAll(code string, warnings []guest.Warning) {
	for i, w := range warnings {
		if i == maxGuestWarnings {
			r.warn(manifest.Warning{Code: code, Message: fmt.Sprintf("%d more warnings of this kind are left out", len(warnings)-i)})
			return
		}
		r.warn(manifest.Warning{Code: code, Message: withFixer(w), Hint: w.Hint})
	}
}

// warnAdvice hands on what a person should do in the guest.
func (r *Run) warnAdvice(warnings []guest.Warning) { r.warnAll(manifest.CodeGuestAdvice, warnings) }

func withFixer(w guest.Warning) string {
	if w.Fixer == "" {
		return w.Message
	}
	return w.Fixer + ": " + w.Message
}

// systemText is a system in a few words.
func systemText(s guest.System) string {
	name := s.Name
	if name == "" {
		name = strings.TrimSpace(s.Distro + " " + s.Version)
	}
	if name == "" {
		name = "a system of the family " + s.Family
	}
	if s.Arch != "" {
		name += " (" + s.Arch + ")"
	}
	return fmt.Sprintf("%s, root on %s, %d kernels", name, s.Root, len(s.Kernels))
}

// guestKinds say which code an error of a guest has.
var guestKinds = []errorKind{
	{guest.ErrUnavailable, manifest.CodeFixUnavailable, ""},
	{guest.ErrEncrypted, manifest.CodeGuestEncrypted, ""},
	{guest.ErrUnclean, manifest.CodeGuestUnclean, ""},
	{guest.ErrNoSystem, manifest.CodeGuestUnknown, ""},
	{guest.ErrSpace, manifest.CodeFixSpace, ""},
	{guest.ErrProof, manifest.CodeFixFailed, ""},
	{guest.ErrLimit, manifest.CodeFixFailed, "the guest holds more of something than any real one does; to convert it as it is, set fix: false"},
	{guest.ErrCommand, manifest.CodeFixFailed, ""},
	{guest.ErrAppliance, manifest.CodeGuestAppliance, ""},
}

// guestError gives an error of a guest its code.
func guestError(err error) *CodedError {
	if c, ok := errors.AsType[*CodedError](err); ok {
		return c
	}
	for _, k := range guestKinds {
		if errors.Is(err, k.is) {
			return &CodedError{Code: k.code, Hint: k.hint, Err: err}
		}
	}
	return &CodedError{Code: manifest.CodeGuestAppliance, Err: err}
}

// isDiskError reports whether the reason lies in the source or in the host's storage, which no retry without the guest would mend.
func isDiskError(err error) bool {
	_, output := errors.AsType[*outputError](err)
	_, source := errors.AsType[*disk.Error](err)
	_, space := errors.AsType[*CodedError](err)
	return output || source || space
}
