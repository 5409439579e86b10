package guestfs

import (
	"context"
	"crypto/rand"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"hyper2kvm/internal/guest"
)

// Limits of a guest's command.
const (
	maxOutput = 64 << 10 // of its output that is kept: the end
	// maxRun is how long it may take. Without KVM a rebuild of a large initramfs takes some minutes; one that waits for ever, or whose
	// child keeps its output open, is the guest's doing.
	maxRun = time.Hour
)

// baseEnv is all that a guest command finds in its environment beside what it asks for.
var baseEnv = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}

// wrapper runs its arguments after the first, with both outputs in one, keeps their end, and writes the status behind the marker that
// is its first argument. No argument is read as shell.
var wrapper = fmt.Sprintf(`m=$1; shift; { "$@" </dev/null 2>&1; echo "$m$?"; } | tail -c %d`, maxOutput)

// Run implements guest.Target: the guest's own sh only ties both outputs together and tells the status.
func (s *Session) Run(ctx context.Context, c guest.Command) (string, error) {
	if len(c.Args) == 0 || !path.IsAbs(c.Args[0]) {
		return "", fmt.Errorf("%w: %q does not begin with an absolute path", guest.ErrCommand, c.Args)
	}
	if err := s.sameArch(ctx); err != nil {
		return "", err
	}
	env, err := s.program(ctx, "/usr/bin/env", "/bin/env")
	if err != nil {
		return "", err
	}
	sh, err := s.program(ctx, "/bin/sh", "/usr/bin/sh")
	if err != nil {
		return "", err
	}
	if _, err := s.Stat(ctx, c.Args[0]); err != nil {
		return "", fmt.Errorf("%w: %w", guest.ErrCommand, err)
	}
	marker := rand.Text() + ":"
	words, err := list(slices.Concat([]string{env, "-i"}, baseEnv, c.Env, []string{sh, "-c", wrapper, "sh", marker}, c.Args))
	if err != nil {
		return "", fmt.Errorf("%w: %w", guest.ErrCommand, err)
	}
	line, err := command("command", words)
	if err != nil {
		return "", fmt.Errorf("%w: %w", guest.ErrCommand, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, maxRun, fmt.Errorf("%w: %.200q did not end within %v", guest.ErrCommand, c.Args, maxRun))
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.cache.clear()
	out, err := s.f.do(ctx, s.alive(fmt.Sprintf("%.100q runs in the guest", c.Args[0])), line)
	if err != nil {
		if errors.Is(err, guest.ErrAppliance) {
			return "", err
		}
		return "", fmt.Errorf("%w: %.200q: %w", guest.ErrCommand, c.Args, err)
	}
	return status(string(out), marker, c.Args)
}

// status takes the marker and the status from the end of an output.
func status(out, marker string, args []string) (string, error) {
	at := strings.LastIndex(out, marker)
	if at < 0 {
		return "", fmt.Errorf("%w: %.200q did not tell its status%s", guest.ErrCommand, args, tail(out))
	}
	output := out[:at]
	code, err := strconv.Atoi(strings.TrimSpace(out[at+len(marker):]))
	if err != nil {
		return output, fmt.Errorf("%w: %.200q ended with the status %.40q", guest.ErrCommand, args, out[at+len(marker):])
	}
	if code != 0 {
		return output, fmt.Errorf("%w: %.200q ended with status %d%s", guest.ErrCommand, args, code, tail(output))
	}
	return output, nil
}

// program returns the first of the names that is there.
func (s *Session) program(ctx context.Context, names ...string) (string, error) {
	for _, n := range names {
		if _, err := s.Stat(ctx, n); err == nil {
			return n, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%w: the guest has no %s", guest.ErrCommand, names[0])
}

// machines are the programs that the kernel of an appliance runs, by what uname -m says there.
var machines = map[string][]elf.Machine{
	"x86_64":  {elf.EM_X86_64, elf.EM_386},
	"i686":    {elf.EM_386},
	"aarch64": {elf.EM_AARCH64},
	"ppc64le": {elf.EM_PPC64},
	"s390x":   {elf.EM_S390},
	"riscv64": {elf.EM_RISCV},
}

// sameArch looks at the guest's sh before anything of the guest is run.
func (s *Session) sameArch(ctx context.Context) error {
	sh, err := s.program(ctx, "/bin/sh", "/usr/bin/sh")
	if err != nil {
		return err
	}
	head, err := s.call(ctx, "pread", sh, "20", "0")
	if err != nil {
		return err
	}
	machine, err := elfMachine(head)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", guest.ErrCommand, sh, err)
	}
	if !slices.Contains(machines[s.arch], machine) {
		return fmt.Errorf("%w: the guest's programs are for %v and the appliance is %s: they cannot be run on this host",
			guest.ErrCommand, machine, s.arch)
	}
	return nil
}

// elfMachine reads e_machine: byte 5 tells the byte order, it stands at 18.
func elfMachine(head []byte) (elf.Machine, error) {
	if len(head) < 20 || string(head[:4]) != elf.ELFMAG {
		return 0, errors.New("it is no ELF program")
	}
	if elf.Data(head[5]) == elf.ELFDATA2MSB {
		return elf.Machine(binary.BigEndian.Uint16(head[18:])), nil
	}
	return elf.Machine(binary.LittleEndian.Uint16(head[18:])), nil
}
