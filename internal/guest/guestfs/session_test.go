package guestfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"hyper2kvm/internal/guest"
)

// fakeSession starts a session on the test binary as guestfish. Its guest is the directory that is returned.
func fakeSession(t *testing.T, how string) (*Session, string) {
	t.Helper()
	s, dir, err := tryFake(t, how, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func tryFake(t *testing.T, how string, o Options) (*Session, string, error) {
	t.Helper()
	t.Setenv(fakeEnv, "fake:"+how)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Program = t.TempDir(), program
	o.Drives = append(o.Drives, Drive{Path: "/disk 1", Format: "qcow2"}, Drive{Path: "/disk2", Format: "raw", ReadOnly: true})
	guestDir := filepath.Join(o.Dir, "guest")
	if err := os.MkdirAll(filepath.Join(guestDir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Start(t.Context(), o)
	if err == nil {
		t.Cleanup(s.Kill)
	}
	return s, guestDir, err
}

func TestStart(t *testing.T) {
	s, _ := fakeSession(t, "well")
	b, err := os.ReadFile(filepath.Join(s.o.Dir, "added"))
	if want := "/disk2\nformat:raw\ncachemode:unsafe\nreadonly:true"; err != nil || string(b) != want {
		t.Errorf("drives were added as %q, %v", b, err)
	}
	env := strings.Join(s.f.cmd.Env, "\n") + "\n"
	for _, want := range []string{"LIBGUESTFS_BACKEND=direct\n", "LIBGUESTFS_BACKEND_SETTINGS=force_tcg\n", "TMPDIR=" + s.o.Dir + "\n", "LC_ALL=C\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("no %q in the environment %q", want, env)
		}
	}
	if strings.Contains(env, "LIBGUESTFS_CACHEDIR="+s.o.Dir) {
		t.Error("the appliance would be made anew for every session")
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(s.o.Dir); err != nil || len(left) != 2 { // what the fake and the test put there
		t.Errorf("left on the host: %v %v", left, err)
	}
}

func TestStartFails(t *testing.T) {
	for how, want := range map[string]string{"nokvm": "guestfs_launch failed", "slow": "did not start within"} {
		s, _, err := tryFake(t, how, Options{Timeout: 300 * time.Millisecond})
		if s != nil || !errors.Is(err, guest.ErrAppliance) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", how, err)
		}
	}
	ok := Options{Dir: t.TempDir(), Program: "/nonexistent/guestfish", Drives: []Drive{{Path: "a", Format: "raw"}}}
	if _, err := Start(t.Context(), ok); !errors.Is(err, guest.ErrUnavailable) {
		t.Errorf("no program: %v", err)
	}
	for name, o := range map[string]Options{
		"no drives": {Dir: ok.Dir}, "relative": {Dir: "x", Drives: ok.Drives}, "format": {Dir: ok.Dir, Drives: []Drive{{Path: "a", Format: "vmdk"}}},
		"guessed": {Dir: ok.Dir, Drives: []Drive{{Path: "a"}}}, "memory": {Dir: ok.Dir, Drives: ok.Drives, MemoryMiB: -1},
		"many": {Dir: ok.Dir, Drives: make([]Drive, maxDrives+1)},
	} {
		if _, err := Start(t.Context(), o); err == nil {
			t.Errorf("%s: started", name)
		}
	}
}

func TestErrorsArePaired(t *testing.T) {
	s, _ := fakeSession(t, "well")
	for i := range 50 {
		text := fmt.Sprintf("number %d", i)
		if _, err := s.call(t.Context(), "fail", text); err == nil || !strings.Contains(err.Error(), text) {
			t.Fatalf("%d: %v", i, err)
		}
		if out, err := s.call(t.Context(), "echo", text); err != nil || string(out) != text+"\n" {
			t.Fatalf("%d: %q %v", i, out, err)
		}
	}
	for text, want := range map[string]error{
		"/x: No such file or directory": fs.ErrNotExist, "File exists": fs.ErrExist, "/a: Not a directory": fs.ErrNotExist, "No space left on device": guest.ErrSpace,
	} {
		if _, err := s.call(t.Context(), "fail", text); !errors.Is(err, want) {
			t.Errorf("%q is %v", text, err)
		}
	}
	if _, err := s.call(t.Context(), "fail", "a\x1b[31m\x00"[:5]); err == nil || strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("control bytes reach the terminal: %q", err)
	}
	if _, err := s.call(t.Context(), "chatter"); err != nil {
		t.Errorf("a warning of qemu is no error: %v", err)
	}
	if _, err := s.call(t.Context(), "unknown-command"); err == nil {
		t.Error("a command that guestfish does not know went well")
	}
	if _, err := s.call(t.Context(), "noise"); err == nil || len(err.Error()) > 4000 {
		t.Errorf("the error is not bounded: %d bytes", len(err.Error()))
	}
	if out, err := s.f.do(t.Context(), nil, "key", "ses ame\"'\\"); err != nil || string(out) != "ses ame\"'\\\n" {
		t.Errorf("%q %v", out, err)
	}
	if out, err := s.call(t.Context(), "args", hostile...); err != nil || string(out) != fmt.Sprintf("%q\n", hostile) {
		t.Errorf("%s %v", out, err)
	}
}

func TestConcurrent(t *testing.T) {
	s, _ := fakeSession(t, "well")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				want := strconv.Itoa(i)
				if out, err := s.call(t.Context(), "echo", want); err != nil || string(out) != want+"\n" {
					t.Errorf("%q for %s: %v", out, want, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestDeath(t *testing.T) {
	s, _ := fakeSession(t, "well")
	_, err := s.call(t.Context(), "die")
	if !errors.Is(err, guest.ErrAppliance) || !strings.Contains(err.Error(), "segmentation fault") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v", err)
	}
	if _, err := s.Lstat(t.Context(), "/x"); !errors.Is(err, guest.ErrAppliance) {
		t.Errorf("after its death: %v", err)
	}
	if err := s.Close(t.Context()); !errors.Is(err, guest.ErrAppliance) {
		t.Errorf("Close says that all is well: %v", err)
	}
	s, _ = fakeSession(t, "well")
	if _, err := s.call(t.Context(), "flood"); !errors.Is(err, guest.ErrAppliance) || !errors.Is(err, guest.ErrLimit) {
		t.Errorf("endless output: %v", err)
	}
	s, _ = fakeSession(t, "nosync")
	if err := s.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "Input/output error") {
		t.Errorf("a failed sync was dropped: %v", err)
	}
}

// hang starts a command that never ends and returns the process group once its child runs.
func hang(t *testing.T, ctx context.Context, s *Session) (result chan error) {
	t.Helper()
	mark := filepath.Join(s.o.Dir, "hanging")
	result = make(chan error, 1)
	go func() {
		_, err := s.call(ctx, "hang", mark)
		result <- err
	}()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if b, err := os.ReadFile(mark); err == nil && len(b) > 0 {
			return result
		}
		if time.Now().After(deadline) {
			t.Fatal("the command did not start")
		}
	}
}

func TestCancel(t *testing.T) {
	s, _ := fakeSession(t, "well")
	ctx, cancel := context.WithCancel(t.Context())
	result := hang(t, ctx, s)
	group := s.f.cmd.Process.Pid
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	waitGone(t, group)
	s, _ = fakeSession(t, "well")
	result = hang(t, t.Context(), s)
	group = s.f.cmd.Process.Pid
	s.Kill()
	if err := <-result; !errors.Is(err, guest.ErrAppliance) {
		t.Errorf("%v", err)
	}
	waitGone(t, group)
}

// TestOrphans: a process that holds a session is killed, and its guestfish goes with it.
func TestOrphans(t *testing.T) {
	if dir := os.Getenv("ORPHAN_DIR"); dir != "" {
		s, _ := fakeSession(t, "well")
		fmt.Printf("group %d\n", s.f.cmd.Process.Pid)
		time.Sleep(time.Hour)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), program, "-test.run=^TestOrphans$")
	c.Env = append(os.Environ(), "ORPHAN_DIR="+t.TempDir())
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var group int
	if _, err := fmt.Fscanf(out, "group %d\n", &group); err != nil || group <= 0 {
		t.Fatal(err)
	}
	if !alive(group) {
		t.Fatal("there is nothing to be orphaned")
	}
	if err := c.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	waitGone(t, group)
}

func TestTree(t *testing.T) {
	ctx := t.Context()
	s, dir := fakeSession(t, "well")
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, "etc", fmt.Sprintf("f%03d", i)), []byte(strconv.Itoa(i)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("f001", filepath.Join(dir, "etc/link")), syscall.Mkfifo(filepath.Join(dir, "etc/pipe"), 0o600),
		os.Truncate(filepath.Join(dir, "etc/f299"), guest.MaxConfig+1)); err != nil {
		t.Fatal(err)
	}
	names, err := s.ReadDir(ctx, "/etc")
	if err != nil || len(names) != 302 {
		t.Fatalf("%d names, %v", len(names), err)
	}
	for _, n := range names {
		if _, err := s.Lstat(ctx, "/etc/"+n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Lstat(ctx, "/etc/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	calls, err := os.ReadFile(filepath.Join(s.o.Dir, "calls"))
	if n := bytes.Count(calls, []byte("\n")); err != nil || n > 5 {
		t.Errorf("%d calls for a directory and all that is in it: %q", n, calls)
	}
	if b, err := s.ReadFile(ctx, "/etc/link"); err != nil || string(b) != "1" {
		t.Errorf("%q %v", b, err)
	}
	if l, err := s.Readlink(ctx, "/etc/link"); err != nil || l != "f001" {
		t.Errorf("%q %v", l, err)
	}
	if _, err := s.ReadFile(ctx, "/etc/pipe"); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a pipe was read: %v", err)
	}
	if _, err := s.ReadFile(ctx, "/etc/f299"); !errors.Is(err, guest.ErrLimit) {
		t.Errorf("a large file was read: %v", err)
	}
	c, err := s.Open(ctx, "/etc/f299")
	if err != nil || c.Size() != guest.MaxConfig+1 {
		t.Fatalf("%v", err)
	}
	b := make([]byte, 2)
	if n, err := c.ReadAt(b, 1); n != 2 || err != nil || string(b) != "99" {
		t.Errorf("%d %v %q", n, err, b)
	}
	c.Close()
	if left, _ := filepath.Glob(filepath.Join(s.o.Dir, "download-*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	for _, n := range []string{"etc/x", "/etc/../x", "win:c", "/etc/", "", "/a\x00"} {
		if _, err := s.Lstat(ctx, n); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", n, err)
		}
		if err := s.Write(ctx, n, guest.File{}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v", n, err)
		}
	}
}

func TestWrite(t *testing.T) {
	ctx := t.Context()
	s, dir := fakeSession(t, "well")
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("a\n'b' \"c\" \\d\x01\xff\n"), "long": bytes.Repeat([]byte("line \\ of 'text'\n"), 5000),
		"binary": {0, 1, 2}, "large": bytes.Repeat([]byte("x"), maxTyped+1), "hard": bytes.Repeat([]byte("\n"), maxTyped),
	} {
		for range 2 {
			if err := s.Write(ctx, "/new/dir/"+name, guest.File{Data: data, Mode: 0o640}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		got, err := os.ReadFile(filepath.Join(dir, "new/dir", name))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes for %d, %v", name, len(got), len(data), err)
		}
		if info, err := s.Lstat(ctx, "/new/dir/"+name); err != nil || info.Mode != 0o640 || info.Size != int64(len(data)) {
			t.Errorf("%s: %+v %v", name, info, err)
		}
	}
	if err := s.Write(ctx, "/new/unmovable", guest.File{Data: []byte("x"), Mode: 0o600}); err == nil {
		t.Error("a failed rename went unnoticed")
	}
	if names, err := s.ReadDir(ctx, "/new"); err != nil || len(names) != 1 {
		t.Errorf("left: %q %v", names, err)
	}
	if err := s.Remove(ctx, "/new/dir/text"); err != nil {
		t.Error(err)
	}
	if err := s.Remove(ctx, "/new/dir/text"); err != nil {
		t.Errorf("what is gone is gone: %v", err)
	}
	if _, err := s.Lstat(ctx, "/new/dir/text"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if free, err := s.Free(ctx, "/a/b"); err != nil || free != 4096*1000 {
		t.Errorf("%d %v", free, err)
	}
}

func TestStatus(t *testing.T) {
	args := []string{"/x"}
	for out, want := range map[string]string{
		"hello\nM:0\n": "", "no\nM:3\n": "status 3", "no mark": "did not tell", "M:zz\n": "status \"zz", "M:1\nM:0\n": "",
	} {
		_, err := status(out, "M:", args)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !errors.Is(err, guest.ErrCommand)) {
			t.Errorf("%q: %v", out, err)
		}
	}
}

// TestCommandsThatWouldNeverEnd are given up: where qemu stands still because the host has no room, and where nothing ever comes.
func TestCommandsThatWouldNeverEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		full  bool
		after time.Duration
		want  string
	}{
		"no room": {true, heartbeat, "less than 16 MiB left in /overlays: no space left on device"},
		"hanging": {false, maxCall + heartbeat, "did not end within 12h"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, giveUp := context.WithCancelCause(t.Context())
				f := &fish{dir: "/overlays", full: func(dir string) bool { return tc.full && dir == "/overlays" }}
				defer f.watch(nil, giveUp)()
				time.Sleep(tc.after - time.Second)
				if ctx.Err() != nil {
					t.Fatalf("given up too soon: %v", context.Cause(ctx))
				}
				time.Sleep(2 * time.Second)
				if err := context.Cause(ctx); err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, syscall.ENOSPC) != tc.full {
					t.Errorf("got %v, want %q", err, tc.want)
				}
			})
		})
	}
	if full(t.TempDir()) {
		t.Error("this host is said to have no room")
	}
}

// TestDropSockets goes by names, and leaves what is not libguestfs'.
func TestDropSockets(t *testing.T) {
	dropSockets("")
	for extra, stays := range map[string]bool{"console.sock": false, "mine": true} {
		dir := filepath.Join(t.TempDir(), "libguestfsAAAAAA")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"guestfsd.sock", extra} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		dropSockets(dir)
		if _, err := os.Stat(dir); (err == nil) != stays {
			t.Errorf("with %s: %v", extra, err)
		}
	}
}
