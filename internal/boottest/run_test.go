package boottest

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const testToken = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// What a boot sector does when it has said its text.
var (
	hang = []byte{0xf4, 0xeb, 0xfd} // hlt; jmp
	// off writes S5 to PM1a_CNT, where SeaBIOS puts it on q35: mov dx,0x604; mov ax,0x2000; out dx,ax.
	off = []byte{0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4, 0xeb, 0xfd}
	// fault loads an empty table of interrupts and takes one: lidt [0x7df0]; int3.
	fault = []byte{0x0f, 0x01, 0x1e, 0xf0, 0x7d, 0xcc}
)

// bootSector returns a disk that writes text to the first serial port and then does what then says.
func bootSector(tb testing.TB, text string, then []byte) Disk {
	tb.Helper()
	code := []byte{
		0x31, 0xc0, // xor ax,ax
		0x8e, 0xd8, // mov ds,ax
		0xb9, 0x06, 0x00, // mov cx,6: ticks, for what SeaBIOS still has to print
		0xfb,       // wait: sti
		0xf4,       // hlt
		0xe2, 0xfc, // loop wait
		0xbe, 0x40, 0x7c, // mov si,0x7c40: the text
		0xac,       // next: lodsb
		0x08, 0xc0, // or al,al
		0x74, 0x06, // jz behind
		0xba, 0xf8, 0x03, // mov dx,0x3f8
		0xee,       // out dx,al
		0xeb, 0xf5, // jmp next
	}
	b := make([]byte, 1<<20)
	copy(b[copy(b, code):], then)
	if n := copy(b[0x40:0x1f0], "\r\n"+text); n < len(text)+2 {
		tb.Fatalf("the text has %d bytes, %d fit", len(text), n)
	}
	b[510], b[511] = 0x55, 0xaa
	path := filepath.Join(tb.TempDir(), "disk, with a \"name\".raw")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	return Disk{Path: path, Format: "raw"}
}

func options(tb testing.TB, disks ...Disk) Options {
	tb.Helper()
	if _, err := exec.LookPath(DefaultQEMU); err != nil {
		tb.Skipf("SKIPPED: %s is not installed, so no VM was started", DefaultQEMU)
	}
	return Options{Firmware: BIOS, Disks: disks, MemoryMiB: 64, CPUs: 1, Marker: testToken, Timeout: time.Minute, Dir: tb.TempDir()}
}

// TestBootSectors starts real VMs on a sector that says something and then hangs, restarts or powers off.
func TestBootSectors(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		then    []byte
		timeout time.Duration
		want    Result
	}{
		"up with a login prompt": {
			text: "booting\r\nhyper2kvm-boot-test " + testToken + " up\r\ndebian login: ", then: hang,
			want: Result{Passed: true, Why: "the guest is up: it printed the token of this test", Evidence: "hyper2kvm-boot-test " + testToken + " up", Login: "debian login:"},
		},
		"up and off": {
			text: testToken + " up\r\n", then: off,
			want: Result{Passed: true, Why: "the guest is up: it printed the token of this test", Evidence: testToken + " up"},
		},
		"a rescue prompt": {
			text: "error: no such device: 1234.\r\nEntering rescue mode...\r\ngrub rescue> ", then: hang,
			want: Result{Why: "GRUB stopped at its prompt: it did not find its configuration or its files", Evidence: "Entering rescue mode..."},
		},
		"another token": {
			text: "ABCDEFGHIJKLMNOPQRSTUVWXYY up\r\n", then: hang, timeout: 3 * time.Second,
			want: Result{Why: "the guest did not come up within 3s, and nothing on its console says why", Evidence: "ABCDEFGHIJKLMNOPQRSTUVWXYY up"},
		},
		"a triple fault": {
			text: "going on\r\n", then: fault,
			want: Result{Why: "the guest restarted before it was up: it asked for that, or the processor found no way on (triple fault)", Evidence: "going on"},
		},
		"power off": {
			text: "good bye\r\n", then: off,
			want: Result{Why: "the guest powered off before it was up", Evidence: "good bye"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, bootSector(t, c.text, c.then))
			o.NICs = []NIC{{}, {Model: NICE1000e, MAC: "52:54:00:aa:bb:cc"}}
			if c.timeout > 0 {
				o.Timeout = c.timeout
			}
			res, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if res.Took <= 0 || res.Took > time.Minute {
				t.Errorf("took %s", res.Took)
			}
			c.want.Took, c.want.Accel, c.want.SerialLog, c.want.Screenshot = res.Took, "tcg", "serial.log", "screen.png"
			if res != c.want {
				t.Errorf("got  %+v\nwant %+v", res, c.want)
			}
			log, err := os.ReadFile(filepath.Join(o.Dir, res.SerialLog))
			if err != nil || !strings.Contains(string(log), strings.TrimSpace(c.text)) || !strings.Contains(string(log), "SeaBIOS") {
				t.Errorf("the log is %q (%v)", log, err)
			}
			f, err := os.Open(filepath.Join(o.Dir, res.Screenshot))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if img, err := png.DecodeConfig(f); err != nil || img.Width < 320 {
				t.Errorf("the screenshot: %+v, %v", img, err)
			}
		})
	}
}

// TestAVMThatIsFull has as many devices as fit, and disks on every controller.
func TestAVMThatIsFull(t *testing.T) {
	other := bootSector(t, "the wrong disk\r\n", hang)
	b, err := os.ReadFile(other.Path)
	if err != nil {
		t.Fatal(err)
	}
	o := options(t)
	for i := range 23 {
		d := Disk{Path: filepath.Join(t.TempDir(), "d"), Format: "raw", Bus: []Bus{Virtio, Virtio, SATA}[i%3]}
		if err := os.WriteFile(d.Path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		o.Disks = append(o.Disks, d)
	}
	o.Disks = append(o.Disks, bootSector(t, testToken+" up\r\nx login:", hang))
	o.BootDisk, o.NICs, o.MemoryMiB = 23, make([]NIC, 9), 256
	if res, err := Run(t.Context(), o); err != nil || !res.Passed {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestTheBootDiskStartsOnEveryBus puts the disk that starts behind one that does not.
func TestTheBootDiskStartsOnEveryBus(t *testing.T) {
	for _, bus := range []Bus{Virtio, SCSI, SATA} {
		t.Run(string(bus), func(t *testing.T) {
			other, boot := bootSector(t, "the wrong disk\r\nKernel panic - not syncing\r\n", hang), bootSector(t, testToken+" up\r\nx login:", hang)
			other.Bus, boot.Bus = bus, bus
			o := options(t, other, other, boot)
			o.Disks[1] = bootSector(t, "wrong too", hang)
			o.BootDisk = 2
			if res, err := Run(t.Context(), o); err != nil || !res.Passed {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

func TestADiskWithoutASystem(t *testing.T) {
	d := bootSector(t, "", hang)
	if err := os.WriteFile(d.Path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := Run(t.Context(), options(t, d))
	if err != nil || res.Passed || res.Why != "the firmware found nothing to boot" {
		t.Errorf("%+v, %v", res, err)
	}
}

// TestNoTestCouldBeMade tells that apart from a guest that fails.
func TestNoTestCouldBeMade(t *testing.T) {
	good := options(t, bootSector(t, "", hang))
	for name, c := range map[string]struct {
		change func(*Options)
		kind   error
		text   string
	}{
		"no qemu":            {func(o *Options) { o.QEMU = "qemu-system-nothing" }, ErrUnavailable, "was not found; install"},
		"no disk there":      {func(o *Options) { o.Disks = []Disk{{Path: "/nothing"}} }, ErrStart, "No such file"},
		"another format":     {func(o *Options) { o.Disks = []Disk{{Path: o.Disks[0].Path, Format: "qcow2"}} }, ErrStart, "not in qcow2 format"},
		"no firmware":        {func(o *Options) { o.Firmware, o.OVMF = UEFI, OVMF{Code: "/nothing", Vars: "/nothing"} }, ErrUnavailable, "no such file"},
		"unknown firmware":   {func(o *Options) { o.Firmware = "efi" }, ErrOptions, `firmware "efi"`},
		"no disks":           {func(o *Options) { o.Disks = nil }, ErrOptions, "0 disks"},
		"boot disk missing":  {func(o *Options) { o.BootDisk = 1 }, ErrOptions, "boot disk 1 of 1"},
		"a relative path":    {func(o *Options) { o.Disks = []Disk{{Path: "a"}} }, ErrOptions, "not absolute"},
		"an odd format":      {func(o *Options) { o.Disks = []Disk{{Path: "/a", Format: "raw,x=y"}} }, ErrOptions, "format"},
		"an odd bus":         {func(o *Options) { o.Disks = []Disk{{Path: "/a", Bus: "usb"}} }, ErrOptions, `bus "usb"`},
		"an odd model":       {func(o *Options) { o.NICs = []NIC{{Model: "rtl8139"}} }, ErrOptions, `model "rtl8139"`},
		"an odd MAC":         {func(o *Options) { o.NICs = []NIC{{MAC: "52:54:00,x"}} }, ErrOptions, "MAC address"},
		"many NICs":          {func(o *Options) { o.NICs = make([]NIC, 11) }, ErrOptions, "11 NICs"},
		"too much on PCIe":   {func(o *Options) { o.Disks, o.NICs = slices.Repeat(o.Disks, 24), make([]NIC, 5) }, ErrOptions, "30 disks and NICs"},
		"many CPUs":          {func(o *Options) { o.CPUs = 99 }, ErrOptions, "99 CPUs"},
		"no marker":          {func(o *Options) { o.Marker = "" }, ErrOptions, "marker"},
		"a directory's name": {func(o *Options) { o.Dir = "here" }, ErrOptions, "not absolute"},
		"no directory":       {func(o *Options) { o.Dir = "/nothing" }, os.ErrNotExist, "serial.log"},
	} {
		t.Run(name, func(t *testing.T) {
			o := good
			c.change(&o)
			res, err := Run(t.Context(), o)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || res != (Result{}) {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

// TestStopping ends the context while the guest runs: that is no result, and nothing goes on.
func TestStopping(t *testing.T) {
	o := options(t, bootSector(t, "running\r\n", hang))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if b, _ := os.ReadFile(filepath.Join(o.Dir, serialName)); strings.Contains(string(b), "running") {
				cancel()
			}
		}
	}()
	res, err := Run(ctx, o)
	if !errors.Is(err, context.Canceled) || res != (Result{}) {
		t.Errorf("%+v, %v", res, err)
	}
	if f, err := os.OpenFile(o.Disks[0].Path, os.O_RDWR, 0); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

// stub returns a qemu that is a shell script.
func stub(tb testing.TB, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "qemu")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		tb.Fatal(err)
	}
	return path
}

// TestBuildsOfQEMUWithLess have no sandbox, or no network that gives addresses: the VM starts without.
func TestBuildsOfQEMUWithLess(t *testing.T) {
	o := Options{Firmware: BIOS, Disks: []Disk{{Path: "/nothing"}}, NICs: []NIC{{}}, Marker: testToken, Dir: t.TempDir(), Timeout: time.Minute}
	o.QEMU = stub(t, `case "$*" in
*-sandbox*) echo 'qemu: -sandbox on: There is no option group "sandbox"' >&2; exit 1;;
*user,id=net0*) echo "qemu: -netdev user,id=net0: network backend 'user' is not compiled into this binary" >&2; exit 1;;
esac
echo "the rest: $*" >&2
exit 1
`)
	_, err := Run(t.Context(), o)
	if !errors.Is(err, ErrStart) || !strings.Contains(err.Error(), "the rest:") || !strings.Contains(err.Error(), "hubport,id=net0") {
		t.Error(err)
	}
}

// TestAQEMUThatDies in the middle has tested nothing.
func TestAQEMUThatDies(t *testing.T) {
	o := Options{Firmware: BIOS, Disks: []Disk{{Path: "/nothing"}}, Marker: testToken, Dir: t.TempDir(), Timeout: time.Minute}
	o.QEMU = stub(t, `echo '{"QMP":{}}' >&3
read command <&3
echo '{"return":{}}' >&3
echo 'qemu: internal error' >&2
kill -SEGV $$
`)
	if _, err := Run(t.Context(), o); !errors.Is(err, ErrStart) || !strings.Contains(err.Error(), "segmentation fault") || !strings.Contains(err.Error(), "internal error") {
		t.Error(err)
	}
}

// TestADiskThatFailsOnTheHost says nothing of the guest. Where the host has no room, qemu would stand still until the time is up.
func TestADiskThatFailsOnTheHost(t *testing.T) {
	for _, full := range []bool{true, false} {
		o := Options{Firmware: BIOS, Disks: []Disk{{Path: "/nothing"}}, Marker: testToken, Dir: t.TempDir(), Timeout: time.Minute}
		o.QEMU = stub(t, fmt.Sprintf(`echo '{"QMP":{}}' >&3
read command <&3
echo '{"return":{}}' >&3
echo '{"event":"BLOCK_IO_ERROR","data":{"operation":"write","action":"stop","nospace":%v,"reason":"out of luck"}}' >&3
read command <&3
`, full))
		_, err := Run(t.Context(), o)
		if !errors.Is(err, ErrStart) || errors.Is(err, syscall.ENOSPC) != full || !full && !strings.Contains(err.Error(), "out of luck") {
			t.Errorf("full %v: %v", full, err)
		}
	}
}

// TestRelabelling plays a guest that labels its files and restarts, which is allowed once.
func TestRelabelling(t *testing.T) {
	for restarts, want := range map[int]bool{1: true, 2: false} {
		o := Options{Firmware: BIOS, Disks: []Disk{{Path: "/nothing"}}, Marker: testToken, Dir: t.TempDir(), Timeout: time.Minute}
		o.QEMU = stub(t, fmt.Sprintf(`answer() { read command <&3; echo '{"return":{}}' >&3; }
echo '{"QMP":{}}' >&3
answer
echo '*** Warning -- SELinux targeted policy relabel is required.'
sleep 0.2
for i in $(seq %d); do
	echo '{"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-reset"}}' >&3
	[ $i = 2 ] && break
	answer
	answer
done
[ %[1]d = 1 ] && echo '%s up' && echo 'x login:'
answer
answer
`, restarts, testToken))
		if res, err := Run(t.Context(), o); err != nil || res.Passed != want {
			t.Errorf("%d restarts: %+v, %v", restarts, res, err)
		}
	}
}

// TestUEFI starts the host's firmware on a disk without a system; that takes half a minute without KVM.
func TestUEFI(t *testing.T) {
	if os.Getenv("HYPER2KVM_GUESTS") == "" {
		t.Skip("SKIPPED: no UEFI firmware was started: it takes half a minute; set HYPER2KVM_GUESTS=1")
	}
	o := options(t, bootSector(t, "not for UEFI", hang))
	o.Firmware, o.MemoryMiB, o.Timeout = UEFI, 256, 5*time.Minute
	if _, err := FindOVMF(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	res, err := Run(t.Context(), o)
	if err != nil || res.Passed || !strings.HasPrefix(res.Why, "the firmware found nothing to boot") {
		t.Errorf("%+v, %v", res, err)
	}
	t.Logf("%+v", res)
}
