package accel

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
)

const (
	// maxRecord is more than any record has.
	maxRecord = 64 << 10
	// noAge is how long a no counts: the host may have been too busy, or another hypervisor may have held the processor. A yes counts
	// until the host changes.
	noAge = time.Hour
)

// record is what a remembered answer depends on, and the answer.
type record struct {
	KVM       bool      `json:"kvm"`
	Why       string    `json:"why,omitempty"`
	BootID    string    `json:"boot_id"`
	Kernel    string    `json:"kernel"`
	Device    string    `json:"device"`
	QEMU      string    `json:"qemu"`
	CheckedAt time.Time `json:"checked_at"`
}

// Remember answers as Probe does, and starts the trial VM only if the file at path does not hold the answer already: for this boot, this
// kernel, this device and this qemu. What needs no VM to be seen (no qemu, no device, no permission) is looked at every time. A
// file that is missing, broken or out of date is written anew; that it cannot be written is the error, which comes with a good
// Result. Several processes may do this at once.
func Remember(ctx context.Context, path string, o Options) (Result, error) {
	o = o.withDefaults()
	qemu, why := o.missing()
	if why != "" {
		return Result{Why: why}, nil
	}
	now := o.record(qemu)
	if had, ok := readRecord(path); ok && had.holds(now) {
		return Result{KVM: had.KVM, Why: had.Why}, nil
	}
	begin := time.Now()
	why = o.try(ctx, qemu)
	now.KVM, now.Why = why == "", why
	res := Result{KVM: now.KVM, Why: why, Took: time.Since(begin)}
	if ctx.Err() != nil {
		return res, nil // called off: that says nothing about the host
	}
	b, err := json.MarshalIndent(now, "", "  ")
	if err == nil {
		err = atomicfile.WriteFast(path, append(b, '\n'), 0o644)
	}
	if err != nil {
		return res, fmt.Errorf("remember whether KVM works: %w", err)
	}
	return res, nil
}

// record describes the host as it is now.
func (o Options) record(qemu string) record {
	r := record{QEMU: fileState(qemu), Device: fileState(o.device), CheckedAt: time.Now().UTC().Truncate(time.Second)}
	if b, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		r.BootID = strings.TrimSpace(string(b))
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.Kernel = unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Version[:])
	}
	return r
}

// fileState changes when the file at path is another one, or is made or permitted anew.
func fileState(path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return path
	}
	return fmt.Sprintf("%s %d:%d %d.%09d", path, st.Dev, st.Ino, st.Ctim.Sec, st.Ctim.Nsec)
}

// holds says whether an answer is one for the host as now describes it.
func (had record) holds(now record) bool {
	age := now.CheckedAt.Sub(had.CheckedAt)
	switch {
	case had.BootID == "" || had.BootID != now.BootID || had.Kernel != now.Kernel || had.Device != now.Device || had.QEMU != now.QEMU:
		return false
	case had.KVM != (had.Why == ""):
		return false // not written by Remember
	}
	return had.KVM || age >= 0 && age < noAge
}

// readRecord reads what was remembered. Whatever is wrong with it, it is as good as missing.
func readRecord(path string) (record, bool) {
	f, err := os.Open(path)
	if err != nil {
		return record{}, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return record{}, false
	}
	var r record
	return r, json.Unmarshal(b, &r) == nil
}
