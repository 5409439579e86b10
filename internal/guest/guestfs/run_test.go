package guestfs

import (
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

// program puts the head of an ELF program into the fake's guest.
func program(t *testing.T, dir, name string, machine elf.Machine) {
	t.Helper()
	head := make([]byte, 64)
	copy(head, elf.ELFMAG)
	head[5], head[18], head[19] = byte(elf.ELFDATA2LSB), byte(machine), byte(machine>>8)
	name = filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, head, 0o755)); err != nil {
		t.Fatal(err)
	}
}

func TestRun(t *testing.T) {
	s, dir := fakeSession(t, "well")
	run := func(args, env []string) (string, error) {
		return s.Run(t.Context(), guest.Command{Args: args, Env: env})
	}
	sh := []string{"/bin/sh", "-c", "echo out; echo err >&2; exit $0"}
	if _, err := run(sh, nil); !errors.Is(err, guest.ErrCommand) || !strings.Contains(err.Error(), "the guest has no /bin/sh") {
		t.Errorf("without sh: %v", err)
	}
	program(t, dir, "bin/sh", elf.EM_AARCH64)
	program(t, dir, "usr/bin/env", elf.EM_AARCH64)
	s.cache.clear()
	if _, err := run(sh, nil); !errors.Is(err, guest.ErrCommand) || !strings.Contains(err.Error(), "EM_AARCH64 and the appliance is x86_64") {
		t.Errorf("another machine's programs: %v", err)
	}
	program(t, dir, "bin/sh", elf.EM_386)
	out, err := run(append(sh, "3"), nil)
	if !errors.Is(err, guest.ErrCommand) || !strings.Contains(err.Error(), "status 3") || out != "out\nerr\n" {
		t.Errorf("%q %v", out, err)
	}
	odd := `a b'c"d$(e)*`
	out, err = run([]string{"/bin/sh", "-c", `printf %s "$0|$A"`, odd}, []string{"A=" + odd})
	if err != nil || out != odd+"|"+odd {
		t.Errorf("%q %v", out, err)
	}
	out, err = run([]string{"/bin/sh", "-c", "env; pwd >/dev/null; yes | head -c 1000000; echo end"}, nil)
	if err != nil || len(out) > maxOutput || !strings.HasSuffix(out, "end\n") {
		t.Errorf("%d bytes of output are kept, %v", len(out), err)
	}
	out, err = run([]string{"/bin/sh", "-c", "env"}, nil)
	if err != nil || !strings.Contains(out, "DEBIAN_FRONTEND=noninteractive\n") || strings.Contains(out, "LIBGUESTFS") {
		t.Errorf("%q %v", out, err)
	}
	if _, err := run([]string{"/bin/gone"}, nil); !errors.Is(err, guest.ErrCommand) {
		t.Errorf("%v", err)
	}
	if _, err := run([]string{"relative"}, nil); !errors.Is(err, guest.ErrCommand) {
		t.Errorf("%v", err)
	}
	if _, err := run([]string{"/bin/sh", strings.Repeat("x", maxLine)}, nil); !errors.Is(err, guest.ErrCommand) || !errors.Is(err, guest.ErrLimit) {
		t.Errorf("%v", err)
	}
}
