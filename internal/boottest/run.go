package boottest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// afterEvent is how long the console is listened to after the VM stopped: what it wrote before may still be under way.
	afterEvent = 500 * time.Millisecond
	// afterFailure is how long it is listened to after a sign of failure, so that the log has the lines behind it.
	afterFailure = 2 * time.Second
	// afterMarker is how long a login prompt is waited for once the guest is up; it is only noted.
	afterMarker = 20 * time.Second
	// startTime is how long qemu may take until its monitor answers; it opens all disks before.
	startTime = time.Minute
	// endTime is how long qemu may take to end when it is asked to.
	endTime = 5 * time.Second
	// maxRestarts is how often a guest may restart to label its files for SELinux.
	maxRestarts = 1
)

// Run starts the VM and waits until it is decided whether the guest comes up, for at most o.Timeout. The Result is the guest's; an
// error says that no test was made: ErrUnavailable, ErrStart (also of a disk that fails on the host) and ErrOptions, the end of ctx, or
// the operating system's. Nothing is left running. In o.Dir, which must exist, stay the files that the Result names, and with an error
// perhaps the beginning of a serial log.
func Run(ctx context.Context, o Options) (Result, error) {
	o, err := o.complete()
	if err != nil {
		return Result{}, err
	}
	qemu, err := exec.LookPath(o.QEMU)
	if err != nil {
		return Result{}, fmt.Errorf("boot test: %w: %s was not found; install qemu-system-x86 (Debian, Ubuntu) or qemu-kvm (Fedora, RHEL, SUSE)", ErrUnavailable, o.QEMU)
	}
	if o.Firmware == UEFI && o.OVMF == (OVMF{}) {
		if o.OVMF, err = FindOVMF(); err != nil {
			return Result{}, err
		}
	}
	scratch, err := os.MkdirTemp("", "boot-test-")
	if err != nil {
		return Result{}, fmt.Errorf("boot test: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }() // a few MiB among temporary files
	for can := (abilities{sandbox: true, user: true}); ; {
		t := &test{Options: o, qemu: qemu, scratch: scratch}
		res, err := t.run(ctx, can)
		less := can.without(err)
		if less == can {
			return res, err
		}
		can = less
	}
}

// without returns the abilities that are left when qemu refused its command line with err.
func (can abilities) without(err error) abilities {
	if !errors.Is(err, ErrStart) {
		return can
	}
	text := err.Error()
	switch {
	case strings.Contains(text, ": -sandbox "): // as qemu names the option that it refuses
		can.sandbox = false
	case strings.Contains(text, "network backend") || strings.Contains(text, "netdev") && strings.Contains(text, "user"):
		can.user = false
	}
	return can
}

// test is one VM from start to end.
type test struct {
	Options
	qemu    string
	scratch string // directory
	vm      *vm
	port    *port
	began   time.Time

	// What was decided, if anything was.
	decided  *verdict
	took     time.Duration
	restarts int
}

func (t *test) run(ctx context.Context, can abilities) (Result, error) {
	vars := filepath.Join(t.scratch, "vars.fd")
	if t.Firmware == UEFI {
		if err := copyVars(t.OVMF.Vars, vars); err != nil {
			return Result{}, fmt.Errorf("boot test: %w: the variables of the firmware: %w", ErrUnavailable, err)
		}
	}
	args, err := commandLine(t.Options, can, vars)
	if err != nil {
		return Result{}, err
	}
	if t.port, err = newPort(t.Dir, t.Marker); err != nil {
		return Result{}, fmt.Errorf("boot test: %w", err)
	}
	t.began = time.Now()
	if t.vm, err = start(t.qemu, args); err != nil {
		return Result{}, errors.Join(fmt.Errorf("boot test: %w: %w", ErrStart, err), t.port.close())
	}
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		t.port.listen(t.vm.serial)
	}()
	err = t.watch(ctx)
	res := Result{Accel: "tcg", SerialLog: serialName, Took: t.took}
	if t.KVM {
		res.Accel = "kvm"
	}
	if err == nil {
		if serr := t.vm.screenshot(ctx, filepath.Join(t.scratch, "screen.ppm"), t.Dir); serr == nil {
			res.Screenshot = screenName
		}
		t.end(ctx)
	}
	t.vm.kill()
	_ = t.vm.serial.SetReadDeadline(time.Now().Add(afterEvent)) // should anybody else hold its other end
	<-listening
	_ = t.vm.serial.Close()
	if cerr := t.port.close(); err == nil && cerr != nil {
		err = fmt.Errorf("boot test: %w", cerr)
	}
	if err != nil {
		return Result{}, err
	}
	res.Passed, res.Why, res.Evidence, res.Login = t.decided.passed, t.decided.why, t.decided.evidence, t.port.look().login
	return res, nil
}

// end asks qemu to end, so that it lets go of its files in order.
func (t *test) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	if t.vm.monitor.do(ctx, "quit", nil) != nil {
		return
	}
	select {
	case <-t.vm.done:
	case <-ctx.Done():
	}
}

// decide settles the test, unless it is settled.
func (t *test) decide(v verdict) {
	if t.decided == nil {
		t.decided, t.took = &v, time.Since(t.began)
	}
}

// watch waits until the test is decided. An error says that there was none.
func (t *test) watch(ctx context.Context) error {
	if err := t.greet(ctx); err != nil {
		return err
	}
	timeout := time.NewTimer(t.Timeout)
	defer timeout.Stop()
	var last <-chan time.Time // when it fires, nothing more is waited for
	var stopped *verdict      // what the end of the VM means, should the console not say more
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-t.vm.done:
			return t.vm.ended()
		case <-t.port.news:
			heard := t.port.look()
			if heard.verdict == nil {
				continue
			}
			if t.decided == nil {
				t.decide(*heard.verdict)
				last = time.After(afterFailure)
				if t.decided.passed {
					last = time.After(afterMarker)
				}
			}
			if t.decided.passed && heard.login != "" {
				return nil
			}
		case e := <-t.vm.monitor.events:
			if e.Name == diskError {
				return e.diskFailed()
			}
			if t.labelled(ctx, e) || stopped != nil {
				continue
			}
			stopped = t.meaning(e)
			last = time.After(afterEvent)
		case <-last:
			if stopped != nil {
				t.decide(*stopped)
			}
			return nil
		case <-timeout.C:
			t.decide(verdict{
				why:      fmt.Sprintf("the guest did not come up within %s, and nothing on its console says why", t.Timeout),
				evidence: t.port.look().last,
			})
			return nil
		}
	}
}

// greet waits until the monitor answers.
func (t *test) greet(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	err := t.vm.monitor.do(limited, "qmp_capabilities", nil)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// A process that is ending tells more than a monitor that is not there.
	select {
	case <-t.vm.done:
		return t.vm.ended()
	case <-time.After(endTime):
		return fmt.Errorf("boot test: %w: its monitor does not answer: %w", ErrStart, err)
	}
}

// labelled lets a guest go on that restarts because it labelled its files for SELinux, as it does once after a repair.
func (t *test) labelled(ctx context.Context, e event) bool {
	if e.Data.Reason != "guest-reset" || t.decided != nil || t.restarts == maxRestarts || !t.port.look().relabels {
		return false
	}
	t.restarts++
	return t.vm.monitor.do(ctx, "system_reset", nil) == nil && t.vm.monitor.do(ctx, "cont", nil) == nil
}

// diskFailed is the error of a VM whose disk fails on the host: what it does from then on says nothing of the guest. Where the host has
// no room, it wraps ENOSPC; there qemu stands still.
func (e event) diskFailed() error {
	if e.Data.NoSpace {
		return fmt.Errorf("boot test: %w: a %.10s of its disk failed: %w", ErrStart, e.Data.Operation, syscall.ENOSPC)
	}
	return fmt.Errorf("boot test: %w: a %.10s of its disk failed: %.100q", ErrStart, e.Data.Operation, e.Data.Reason)
}

// meaning says what the end of a VM that was not asked for says of its guest.
func (t *test) meaning(e event) *verdict {
	v := &verdict{evidence: t.port.look().last}
	switch {
	case e.Name == "GUEST_PANICKED", e.Data.Reason == "guest-panic":
		v.why = "the kernel panicked"
	case e.Data.Reason == "guest-reset":
		v.why = "the guest restarted before it was up: it asked for that, or the processor found no way on (triple fault)"
	case e.Data.Reason == "guest-shutdown":
		v.why = "the guest powered off before it was up"
	default:
		v.why = fmt.Sprintf("the VM stopped before the guest was up (%.40q)", e.Data.Reason)
	}
	return v
}
