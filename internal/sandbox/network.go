package sandbox

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// auditArch are the numbers of linux/audit.h by which a filter knows whose numbers of system calls it looks at, of the
// architectures on which every socket is made by socket(2): little-endian, and without socketcall(2).
var auditArch = map[string]uint32{
	"amd64":   unix.AUDIT_ARCH_X86_64,
	"arm64":   unix.AUDIT_ARCH_AARCH64,
	"riscv64": unix.AUDIT_ARCH_RISCV64,
}

// x32Bit marks the calls of the third ABI of amd64, which has numbers of its own.
const x32Bit = 0x40000000

// Where seccomp_data (seccomp(2)) has the number, the architecture and the low half of the first argument.
const (
	offNumber = 0
	offArch   = 4
	offFirst  = 16
)

// socketFilter is the program that refuses every socket but unix ones with EACCES. What could make sockets past it, foreign ABIs and
// io_uring, is said not to exist, which every program has to expect.
func socketFilter(arch string) ([]unix.SockFilter, error) {
	number, ok := auditArch[arch]
	if !ok {
		return nil, fmt.Errorf("there is no filter for %s", arch)
	}
	const (
		load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		ifEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ifLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		end     = unix.BPF_RET | unix.BPF_K
	)
	return []unix.SockFilter{
		{Code: load, K: offArch},
		{Code: ifEqual, K: number, Jf: 7}, // to: unknown
		{Code: load, K: offNumber},
		{Code: ifLeast, K: x32Bit, Jt: 5},                  // to: unknown
		{Code: ifEqual, K: unix.SYS_IO_URING_SETUP, Jt: 4}, // to: unknown
		{Code: ifEqual, K: unix.SYS_SOCKET, Jf: 2},         // to: allow
		{Code: load, K: offFirst},
		{Code: ifEqual, K: unix.AF_UNIX, Jf: 2}, // to: refuse
		{Code: end, K: unix.SECCOMP_RET_ALLOW},
		{Code: end, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: end, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)},
	}, nil
}

// closeNetwork puts the filter on all threads.
func closeNetwork() error {
	filter, err := socketFilter(runtime.GOARCH)
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("close the network: seccomp: %w", errno)
	}
	return nil
}
