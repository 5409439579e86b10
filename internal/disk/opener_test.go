package disk_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/disk"
)

func write(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// zoo makes a directory with one of each kind of file, and one outside of it.
func zoo(tb testing.TB) (dir string) {
	tb.Helper()
	top := tb.TempDir()
	dir = filepath.Join(top, "job")
	must(tb, os.Mkdir(dir, 0o700))
	write(tb, filepath.Join(top, "secret"), "secret")
	write(tb, filepath.Join(dir, "disk.vmdk"), "hello")
	write(tb, filepath.Join(dir, "with space.vmdk"), "hello")
	must(tb, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	write(tb, filepath.Join(dir, "sub", "disk.vmdk"), "hello")
	must(tb, os.Symlink("../secret", filepath.Join(dir, "link.vmdk")))
	must(tb, os.Symlink("disk.vmdk", filepath.Join(dir, "inner.vmdk")))
	must(tb, os.Symlink("..", filepath.Join(dir, "up")))
	must(tb, unix.Mkfifo(filepath.Join(dir, "pipe.vmdk"), 0o600))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "sock.vmdk")})
	must(tb, err)
	tb.Cleanup(func() { l.Close() })
	return dir
}

func TestOpenFile(t *testing.T) {
	dir := zoo(t)
	for name, want := range map[string]error{
		"disk.vmdk": nil,
		"none.vmdk": disk.ErrMissing,
		"sub":       disk.ErrUnsupported,
		"link.vmdk": disk.ErrOutside,
		"pipe.vmdk": disk.ErrUnsupported, // and no waiting for a writer
		"sock.vmdk": disk.ErrUnsupported,
	} {
		f, err := disk.OpenFile(filepath.Join(dir, name))
		if !errors.Is(err, want) {
			t.Errorf("%s: error is %v, want %v", name, err, want)
		}
		if err != nil {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%s: the message does not name the file: %v", name, err)
			}
			continue
		}
		if f.Name() != name || f.Size() != 5 || f.ID() == "" {
			t.Errorf("name %q, size %d, id %q", f.Name(), f.Size(), f.ID())
		}
		must(t, f.Close())
	}
	if _, err := disk.OpenFile("/dev/null"); !errors.Is(err, disk.ErrUnsupported) {
		t.Errorf("a character device: %v, want ErrUnsupported", err)
	}
}

func TestOpenersKeepInside(t *testing.T) {
	dir := zoo(t)
	files := map[string]string{
		"disk.vmdk":      filepath.Join(dir, "disk.vmdk"),
		"sub/disk.vmdk":  filepath.Join(dir, "sub", "disk.vmdk"),
		"pipe.vmdk":      filepath.Join(dir, "pipe.vmdk"),
		"gone.vmdk":      filepath.Join(dir, "gone.vmdk"),
		"/abs/disk.vmdk": filepath.Join(dir, "disk.vmdk"),
	}
	for _, c := range []struct {
		name         string
		inMap, inDir error
	}{
		{"disk.vmdk", nil, nil},
		{"./disk.vmdk", nil, nil},
		{".//./disk.vmdk", nil, nil},
		{"with space.vmdk", disk.ErrMissing, nil},
		{"none.vmdk", disk.ErrMissing, disk.ErrMissing},
		{"gone.vmdk", disk.ErrMissing, disk.ErrMissing},
		{"pipe.vmdk", disk.ErrUnsupported, disk.ErrUnsupported},
		{"sub", disk.ErrMissing, disk.ErrUnsupported},
		{"sub/disk.vmdk", nil, disk.ErrOutside},
		{"link.vmdk", disk.ErrMissing, disk.ErrOutside},
		{"inner.vmdk", disk.ErrMissing, disk.ErrOutside},
		{"up/secret", disk.ErrMissing, disk.ErrOutside},
		{"/abs/disk.vmdk", nil, disk.ErrOutside}, // the job's owner was allowed to name it so
		{"../secret", disk.ErrOutside, disk.ErrOutside},
		{"./../secret", disk.ErrOutside, disk.ErrOutside},
		{"sub/../../secret", disk.ErrOutside, disk.ErrOutside},
		{`..\secret`, disk.ErrOutside, disk.ErrOutside},
		{"..", disk.ErrOutside, disk.ErrOutside},
		{".", disk.ErrOutside, disk.ErrOutside},
		{"./", disk.ErrOutside, disk.ErrOutside},
		{"", disk.ErrOutside, disk.ErrOutside},
		{"/etc/passwd", disk.ErrOutside, disk.ErrOutside},
		{"/" + dir + "/disk.vmdk", disk.ErrOutside, disk.ErrOutside},
		{"/dev/stdin", disk.ErrOutside, disk.ErrOutside},
		{`C:\VMs\disk.vmdk`, disk.ErrOutside, disk.ErrOutside},
		{`\\server\share\disk.vmdk`, disk.ErrOutside, disk.ErrOutside},
		{`json:{"driver":"file","filename":"/etc/passwd"}`, disk.ErrOutside, disk.ErrOutside},
		{"nbd://127.0.0.1:10809/x", disk.ErrOutside, disk.ErrOutside},
		{"nbd:unix:/run/sock", disk.ErrOutside, disk.ErrOutside},
		{"fat:rw:/etc", disk.ErrOutside, disk.ErrOutside},
		{"file:///etc/passwd", disk.ErrOutside, disk.ErrOutside},
		{"https://example.org/x.vmdk", disk.ErrOutside, disk.ErrOutside},
		{"disk.vmdk\x00.png", disk.ErrOutside, disk.ErrOutside},
		{"\x1b[2Jx", disk.ErrMissing, disk.ErrMissing},
		{strings.Repeat("a", 300), disk.ErrMissing, disk.ErrOutside},
	} {
		for opener, want := range map[string]error{"map": c.inMap, "dir": c.inDir} {
			open := disk.FilesOpener(files)
			if opener == "dir" {
				open = disk.DirOpener(dir)
			}
			f, err := open(c.name)
			if !errors.Is(err, want) || (err == nil) != (want == nil) {
				t.Errorf("%s: %q: error is %v, want %v", opener, c.name, err, want)
			}
			if err != nil {
				if f != nil {
					t.Errorf("%s: %q: a file together with an error", opener, c.name)
				}
				if strings.ContainsAny(err.Error(), "\x00\x1b\n") || len(err.Error()) > 1000 {
					t.Errorf("%s: the message is not fit to print: %q", opener, err)
				}
				continue
			}
			b := make([]byte, 5)
			if _, err := f.ReadAt(b, 0); err != nil || string(b) != "hello" {
				t.Errorf("%s: %q: read %q, %v", opener, c.name, b, err)
			}
			must(t, f.Close())
		}
	}
}

func FuzzDirOpener(f *testing.F) {
	for _, s := range []string{"disk.vmdk", "../secret", "./x", "/etc/passwd", "link.vmdk", "up/secret", "json:{}", "a\x00b"} {
		f.Add(s)
	}
	dir := zoo(f)
	inside, err := os.ReadDir(dir)
	must(f, err)
	known := make(map[string]bool)
	for _, e := range inside {
		known[e.Name()] = true
	}
	open := disk.DirOpener(dir)
	f.Fuzz(func(t *testing.T, name string) {
		file, err := open(name)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("the message is not fit to print: %q", err)
			}
			return
		}
		defer file.Close()
		if !known[file.Name()] {
			t.Errorf("%q opened %q", name, file.Name())
		}
		b := make([]byte, 6)
		if n, _ := file.ReadAt(b, 0); string(b[:n]) != "hello" {
			t.Errorf("%q reads as %q", name, b[:n])
		}
	})
}

func TestErrorText(t *testing.T) {
	err := &disk.Error{Format: "qcow2", Op: "open", File: "a\x1b]0;x\a\u202e.vmdk\xff", Off: 0x200, Kind: disk.ErrCorrupt, Detail: "needs\nmore"}
	want := `qcow2: open: a\x1b]0;x\a\u202e.vmdk\xff at 0x200: image is corrupt: needs\nmore`
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := disk.Printable("Größe 東京.vmdk"); got != "Größe 東京.vmdk" {
		t.Errorf("a good name became %q", got)
	}
	cause := errors.New("cause")
	wrapped := &disk.Error{Kind: disk.ErrMissing, Err: cause, Off: -1}
	if !errors.Is(wrapped, disk.ErrMissing) || !errors.Is(wrapped, cause) || wrapped.Error() != "file is missing: cause" {
		t.Errorf("got %v", wrapped)
	}
}

func TestHostFileHoles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(path)
	must(t, err)
	must(t, f.Truncate(64<<20))
	_, err = f.WriteAt([]byte{1}, 32<<20)
	must(t, err)
	must(t, f.Close())
	h, err := disk.OpenFile(path)
	must(t, err)
	defer h.Close()
	start, end, err := h.NextData(0)
	must(t, err)
	if start > 32<<20 || end <= 32<<20 || end > 64<<20 {
		t.Fatalf("data is [%d, %d), want the byte at %d in it", start, end, 32<<20)
	}
	if start == 0 && end == 64<<20 {
		t.Skip("SKIPPED: the file system of the temporary directory has no holes")
	}
	if _, _, err := h.NextData(end); err == nil {
		t.Error("data is reported behind the only byte")
	}
	if _, _, err := h.NextData(64 << 20); err == nil {
		t.Error("data is reported at the end")
	}
}
