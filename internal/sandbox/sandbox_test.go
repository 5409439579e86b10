package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// confinedEnv makes this test program enter the sandbox that it names, try what it must not be able to do, and print the answers.
const confinedEnv = "SANDBOX_TEST_POLICY"

func TestMain(m *testing.M) {
	if policy := os.Getenv(confinedEnv); policy != "" {
		os.Exit(confined(policy, os.Getenv("SANDBOX_TEST_DIR")))
	}
	os.Exit(m.Run())
}

// answers are what the confined process could do: "" or the error.
type answers map[string]string

func confined(policy, dir string) int {
	var p Policy
	if err := json.Unmarshal([]byte(policy), &p); err != nil {
		fmt.Println(err)
		return 1
	}
	threads := newThreads(4) // that are there before
	missing, err := Enter(p)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if len(missing) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(missing, "; "))
		return 7
	}
	all := answers{}
	try := func(what string, f func() error) {
		var errs []error
		for _, run := range append(threads, func(f func() error) error { return f() }) {
			errs = append(errs, run(f))
		}
		for _, err := range errs {
			if (err == nil) != (errs[0] == nil) {
				all[what] = fmt.Sprint("threads differ: ", errs)
				return
			}
		}
		all[what] = ""
		if errs[0] != nil {
			all[what] = errs[0].Error()
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	try("read source", func() error { _, err := os.ReadFile(in("source/a")); return err })
	try("write source", func() error { return os.WriteFile(in("source/a"), nil, 0o600) })
	try("remove source", func() error { return os.Remove(in("source/a")) })
	try("read one", func() error { _, err := os.ReadFile(in("one")); return err })
	try("read other", func() error { _, err := os.ReadFile(in("other")); return err })
	try("list above", func() error { _, err := os.ReadDir(dir); return err })
	try("link in", func() error { _, err := os.ReadFile(in("source/link")); return err })
	try("write", func() error {
		f, err := os.CreateTemp(in("build"), "x")
		if err != nil {
			return err
		}
		defer f.Close()
		if err := os.Rename(f.Name(), in("build/sub/"+filepath.Base(f.Name()))); err != nil {
			return err
		}
		return os.Truncate(in("build/sub/"+filepath.Base(f.Name())), 10)
	})
	try("execute what it wrote", func() error { return exec.Command(in("build/program")).Run() })
	try("make elsewhere", func() error { return os.WriteFile(in("new"), nil, 0o600) })
	try("device", func() error { return unix.Mknod(in("build/dev"), unix.S_IFCHR|0o600, 0x103) })
	try("null", func() error { return os.WriteFile("/dev/null", []byte("x"), 0) })
	try("program", func() error { return exec.Command("/bin/sh", "-c", "exit 0").Run() })
	try("program reads other", func() error { return exec.Command("/bin/sh", "-c", `read x < "$1"`, "sh", in("other")).Run() })
	try("unix socket", func() error {
		l, err := net.Listen("unix", in("build/s"))
		if err != nil {
			return err
		}
		defer l.Close()
		c, err := net.Dial("unix", in("build/s"))
		if err != nil {
			return err
		}
		return c.Close()
	})
	for name, domain := range map[string]int{"inet": unix.AF_INET, "inet6": unix.AF_INET6, "netlink": unix.AF_NETLINK, "packet": unix.AF_PACKET, "vsock": unix.AF_VSOCK, "alg": unix.AF_ALG} {
		try(name, func() error {
			fd, err := unix.Socket(domain, unix.SOCK_DGRAM, 0)
			if err == nil {
				unix.Close(fd)
			}
			return err
		})
	}
	try("io_uring", func() error {
		_, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)
		return errno
	})
	try("mount", func() error { return unix.Mount("none", in("build"), "tmpfs", 0, "") })
	try("core", func() error {
		var l unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_CORE, &l); err != nil || l.Max != 0 {
			return fmt.Errorf("%v %w", l, err)
		}
		return nil
	})
	b, err := json.Marshal(all)
	if err != nil {
		return 1
	}
	fmt.Println(string(b))
	return 0
}

// newThreads starts threads of the operating system, each of which does what it is given.
func newThreads(n int) (run []func(func() error) error) {
	var ready sync.WaitGroup
	for range n {
		work, done := make(chan func() error), make(chan error)
		ready.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			for f := range work {
				done <- f()
			}
		}()
		run = append(run, func(f func() error) error { work <- f; return <-done })
	}
	ready.Wait()
	return run
}

// static builds a program of this test without cgo, with which confining all threads does not work.
func static(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sandbox.test")
	cmd := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", path, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestEnter(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"source", "build/sub"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"source/a", "one", "other", "build/program"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "other"), filepath.Join(dir, "source/link")); err != nil {
		t.Fatal(err)
	}
	policy, err := json.Marshal(Policy{
		Programs: []string{"/usr", "/bin", "/lib", "/lib64"}, Read: []string{filepath.Join(dir, "source"), filepath.Join(dir, "one"), filepath.Join(dir, "absent"), "/etc", "/proc"},
		Write: []string{filepath.Join(dir, "build")}, Devices: []string{"/dev/null"},
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), static(t))
	cmd.Env = append(os.Environ(), confinedEnv+"="+string(policy), "SANDBOX_TEST_DIR="+dir)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 7 {
		t.Skip("this kernel cannot confine a process in full: the sandbox is not tested")
	}
	var got answers
	if err != nil || json.Unmarshal(out, &got) != nil {
		t.Fatalf("%v: %s", err, out)
	}
	allowed := []string{"read source", "read one", "write", "null", "program", "unix socket", "core"}
	for what, answer := range got {
		if slices.Contains(allowed, what) != (answer == "") {
			t.Errorf("%s: %q", what, answer)
		}
	}
	if len(got) != 24 {
		t.Errorf("%d answers: %v", len(got), got)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "source/a")); err != nil || len(b) == 0 {
		t.Error("the source was changed:", err)
	}
}

// An architecture whose numbers are not known gets no filter: one for others would refuse the wrong calls.
func TestFilterOfUnknownArchitecture(t *testing.T) {
	if _, err := socketFilter("s390x"); err == nil {
		t.Error("want an error")
	}
}

func TestKnown(t *testing.T) {
	for abi, want := range map[int]uint64{
		1: rightsAll &^ (unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV),
		2: rightsAll &^ (unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV),
		3: rightsAll &^ unix.LANDLOCK_ACCESS_FS_IOCTL_DEV,
		5: rightsAll,
	} {
		if got := known(rightsAll, abi); got != want {
			t.Errorf("version %d: %#x, want %#x", abi, got, want)
		}
	}
}
