package sandbox

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setLimits lowers what the process may use. Address space is not limited: Go reserves far more than it uses, and so does qemu; memory is
// bounded by the control group of the daemon's unit.
func setLimits() error {
	for _, l := range []struct {
		what int
		name string
		max  uint64
	}{
		{unix.RLIMIT_CORE, "RLIMIT_CORE", 0}, // a core would hold the guest's data
		{unix.RLIMIT_NOFILE, "RLIMIT_NOFILE", maxOpenFiles},
		{unix.RLIMIT_FSIZE, "RLIMIT_FSIZE", maxFileBytes},
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.what, &now); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		limit := unix.Rlimit{Cur: min(now.Cur, l.max), Max: min(now.Max, l.max)}
		if err := unix.Setrlimit(l.what, &limit); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(oomScore), 0) // without /proc the kernel chooses as ever
	return nil
}

// kept are the capabilities that a conversion by root needs: to read the files of all users, and to give results their owner and mode.
const kept = 1<<unix.CAP_CHOWN | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID |
	1<<unix.CAP_KILL | 1<<unix.CAP_LEASE

// dropCapabilities gives up all others. Without new privileges a program that root starts does not get them back.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData // the low and the high half
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	for half := range data {
		mask := uint32(uint64(kept) >> (32 * half))
		data[half].Effective &= mask
		data[half].Permitted &= mask
		data[half].Inheritable &= mask
	}
	header.Pid = 0
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0); errno != 0 {
		return fmt.Errorf("capabilities: %w", errno)
	}
	return nil
}
