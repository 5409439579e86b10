package convert

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/linux"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// checkGuest opens the guest again, now inside the outputs: file systems without faults, virtio in every initramfs, nothing left to
// repair; then it starts the VM, if the job wants that. Everything happens on throw-away overlays.
func checkGuest(ctx context.Context, r *Run, images []disk.Image) error {
	if !r.Request.Job.Check.Enabled {
		return nil
	}
	if r.System.Family == "" || r.noRepair != "" { // what could not be read in the source says nothing that the result must agree with
		return r.noBootTest(cmp.Or(r.noRepair, "the guest was not looked into"))
	}
	s, err := r.openSession(ctx, "result", images)
	if err != nil {
		return r.orUnchecked(ctx, err)
	}
	defer func() { _ = s.end() }() // only throw-away files are left to it
	if err := r.lookOver(ctx, s); err != nil {
		return r.orUnchecked(ctx, s.fault(err))
	}
	if !r.Request.Job.Check.BootTest {
		return nil
	}
	return r.bootTest(ctx, s)
}

// orUnchecked turns an appliance that could not look over the result into a warning: the content of the images is proved already. A fault
// that it found stays an error.
func (r *Run) orUnchecked(ctx context.Context, err error) error {
	if ctx.Err() != nil || isDiskError(err) {
		return err
	}
	c := guestError(err)
	if r.Request.Job.Check.BootRequire {
		return c
	}
	r.warn(manifest.Warning{Code: c.Code, Message: "the guest in the result could not be looked over: " + oneLine(err.Error()), Hint: c.Hint})
	if r.Request.Job.Check.BootTest {
		return r.noBootTest("the guest in the result could not be opened")
	}
	return nil
}

// lookOver checks the file systems, and that FIX finds nothing more to do. It leaves the guest mounted.
func (r *Run) lookOver(ctx context.Context, s *session) error {
	keys, err := r.passphrases()
	if err != nil {
		return err
	}
	system, _, err := s.Inspect(ctx, keys, r.Guest.BootDisk)
	if err != nil {
		return err
	}
	found, err := s.Check(ctx, system)
	if err != nil {
		return err
	}
	r.warnAll(manifest.CodeGuestCheck, found)
	if _, err := s.Mount(ctx, &system, r.Request.Job.Check.BootTest); err != nil {
		return err
	}
	if system.Family != guest.FamilyLinux {
		return nil
	}
	system.Firmware, system.Renumbered = r.Guest.Firmware, r.System.Renumbered
	if err := linux.Inspect(ctx, s, &system); err != nil {
		return err
	}
	virtio, err := linux.Virtio(ctx, s, system)
	if err != nil {
		return err
	}
	if virtio.Block != r.Virtio.Block || virtio.Net != r.Virtio.Net {
		return coded(manifest.CodeGuestCheck, "", fmt.Errorf("the guest in the result has other drivers than the one that was repaired: %s", virtio.Why))
	}
	if r.repaired == nil {
		return nil
	}
	work, err := guest.NewWork(ctx, system, s, repairs(r, nil))
	if err != nil {
		return err
	}
	done := map[string]bool{} // an optional command that failed is still wanted
	for _, had := range r.Repairs {
		done[had.Fixer+"\x00"+had.Path+"\x00"+strings.Join(had.Command, "\x00")] = had.Failed != ""
	}
	for _, c := range work.Changes {
		if c.Run == nil && slices.ContainsFunc(strings.Split(c.Fixer, ", "), func(name string) bool { return slices.Contains(r.unclear, name) }) {
			continue // what a name means was told by others beside it, which are repaired: it was left, and that was said
		}
		key := c.Fixer + "\x00" + c.Path + "\x00"
		if c.Run != nil {
			key += strings.Join(c.Run.Args, "\x00")
		}
		if !done[key] {
			return coded(manifest.CodeGuestCheck, "this is a fault of the program: report it with the job's log",
				fmt.Errorf("the repaired guest still needs a repair: %s: %s%s", c.Fixer, c.Why, at(c.Path)))
		}
	}
	r.Events.Log(r.stage, "the guest in the result was looked over: "+oneLine(virtio.Why))
	return nil
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

// noBootTest says why no boot test was made. Where the job requires one, that fails it.
func (r *Run) noBootTest(why string) error {
	if !r.Request.Job.Check.BootTest {
		return nil
	}
	err := fmt.Errorf("no boot test was made: %s", why)
	if r.Request.Job.Check.BootRequire {
		return coded(manifest.CodeBootUnavailable, "", err)
	}
	r.warn(manifest.Warning{Code: manifest.CodeBootUnavailable, Message: err.Error()})
	return nil
}

// bootDirName is where the serial log and the screenshot of a boot test stand, below the output directory.
const bootDirName = "boot-test"

// bootTest puts a serial console and a marker into the throw-away overlays and starts the VM on them.
func (r *Run) bootTest(ctx context.Context, s *session) error {
	if r.System.Family != guest.FamilyLinux {
		return r.noBootTest("only Linux guests can say on a serial console that they are up")
	}
	if r.Plan.noBoot != "" {
		return r.noBootTest(r.Plan.noBoot)
	}
	token := rand.Text()
	err := s.fault(r.plantMarker(ctx, s, token))
	if err == nil {
		err = s.close(ctx)
	}
	if err != nil {
		if ctx.Err() != nil || isDiskError(err) {
			return fmt.Errorf("prepare the boot test: %w", err)
		}
		return r.noBootTest("the throw-away copy could not be prepared: " + oneLine(err.Error()))
	}
	admitted, err := r.admit(ctx, bootTestMemory)
	if err != nil {
		return err
	}
	defer admitted.Release()
	dir := filepath.Join(r.Request.Partial, bootDirName)
	if err := os.Mkdir(dir, 0o750); err != nil {
		return marked(err)
	}
	t := BootTest{
		KVM: admitted.KVM, Drives: s.overlays, BootDisk: bootDisk(r), Firmware: string(resolveFirmware(r.Machine.Firmware, r.Guest.Firmware)), Bus: "sata", NICModel: "e1000e",
		MACs: bootMACs(r.Machine.NICs), CPUs: 2, Memory: 1024, Marker: token, Dir: dir, Timeout: r.Request.Guest.BootTimeout,
	}
	if r.Virtio.Block {
		t.Bus = "virtio"
	}
	if r.Virtio.Net {
		t.NICModel = "virtio"
	}
	r.Events.Log(r.stage, fmt.Sprintf("boot test: starting the VM with %s and its disks on %s", t.Firmware, t.Bus))
	quiet := r.still("the boot test goes on")
	ran := r.command(ctx, bootProgram)
	res, err := r.guests.Boot(ctx, t)
	ran(err)
	quiet()
	if err != nil {
		if err = s.fault(err); ctx.Err() != nil || isDiskError(err) {
			return err
		}
		return r.noBootTest(oneLine(err.Error()))
	}
	if broken := s.broken(); broken != nil && !res.Passed { // the VM stopped for what it could not read, which is not the guest's fault
		return broken
	}
	r.BootTest = &manifest.BootTest{
		Passed: res.Passed, Why: oneLine(res.Why), Evidence: oneLine(res.Evidence), Login: oneLine(res.Login), Seconds: took(res.Took), Disks: t.Bus, Firmware: t.Firmware,
	}
	if res.SerialLog != "" {
		r.BootTest.SerialLog = bootDirName + "/" + res.SerialLog
	}
	if res.Screenshot != "" {
		r.BootTest.Screenshot = bootDirName + "/" + res.Screenshot
	}
	if res.Passed {
		r.Events.Log(r.stage, fmt.Sprintf("boot test passed after %.0f s: %s", res.Took.Seconds(), r.BootTest.Why))
		return nil
	}
	failed := fmt.Errorf("the converted VM did not boot on %s disks: %s", t.Bus, r.BootTest.Why)
	if r.Request.Job.Check.BootRequire {
		return coded(manifest.CodeBootFailed, "", failed)
	}
	r.warn(manifest.Warning{Code: manifest.CodeBootFailed, Message: failed.Error()})
	return nil
}

// sign is how often a step that says nothing itself shows that it goes on: far more often than the shortest useful stall_timeout.
const sign = 30 * time.Second

// still logs from time to time that something goes on, until the function that it returns is called.
func (r *Run) still(what string) (stop func()) {
	stage := r.stage
	ended, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(sign)
		defer tick.Stop()
		for n := time.Duration(1); ; n++ {
			select {
			case <-ended:
				return
			case <-tick.C:
				r.Events.Log(stage, fmt.Sprintf("%s: %v so far", what, n*sign))
			}
		}
	}()
	return func() { close(ended); <-stopped }
}

// maxBootNICs is how many network cards a boot test has: more say nothing more.
const maxBootNICs = 4

// bootMACs are the addresses of the VM's cards; a VM that nothing is known of has one card.
func bootMACs(nics []machine.NIC) []string {
	var macs []string
	for _, n := range nics[:min(len(nics), maxBootNICs)] {
		macs = append(macs, n.MAC)
	}
	if macs == nil {
		return []string{""}
	}
	return macs
}

// plantMarker lets the kernels talk on the serial port and makes the guest print the token when it is up.
func (r *Run) plantMarker(ctx context.Context, s *session, token string) error {
	system := r.System
	work, err := guest.NewWork(ctx, system, s, linux.Fixers(linux.Options{SerialConsole: true}))
	if err != nil {
		return err
	}
	if _, err := guest.Apply(ctx, s, work.Changes, unheard{}, r.Clock); err != nil {
		return err
	}
	files, err := r.guests.Marker(token, system.Init)
	if err != nil {
		return err
	}
	for name, f := range files {
		if err := s.Write(ctx, name, f); err != nil {
			return err
		}
	}
	_, err = s.Label(ctx, slices.Collect(maps.Keys(files)))
	return err
}

// unheard is a journal of changes that nobody takes back.
type unheard struct{}

func (unheard) Log(string)                                   {}
func (unheard) Keep(context.Context, guest.FS, string) error { return nil }

// setOwner gives the files of the result the owner, mode and label that the daemon's settings ask for: qemu opens them as its own user.
func (r *Run) setOwner() error {
	o := r.Request.Guest.Owner
	return filepath.WalkDir(r.Request.Partial, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return marked(err)
		}
		if d.IsDir() && d.Name() == guestDir {
			return filepath.SkipDir
		}
		return marked(o.apply(path, d.IsDir()))
	})
}

// diskBus is the bus that the domain's disks must be on, BusUnknown where the machine's description and the proved drivers decide.
func (r *Run) diskBus() machine.Bus {
	if r.System.Family == guest.FamilyWindows && !r.Virtio.Block {
		return machine.BusSATA
	}
	return machine.BusUnknown
}
