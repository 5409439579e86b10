package nbd

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

func writeFile(tb testing.TB, path string, b []byte) {
	tb.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// TestQemuReadsTheSame lets qemu-img judge content and map, for sizes at and beside a sector.
func TestQemuReadsTheSame(t *testing.T) {
	for _, size := range []int64{5 << 20, 5<<20 + 1, 5<<20 + 511, 4<<20 + 513} {
		img := mixed(size)
		s, l := start(t, img)
		raw := writeRaw(t, img)
		mustQemu(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", raw, l.URI())
		out := filepath.Join(t.TempDir(), "out.raw")
		mustQemu(t, "qemu-img", "convert", "-f", "raw", "-O", "raw", l.URI(), out)
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(raw)
		if err != nil {
			t.Fatal(err)
		}
		rounded := (size + 511) / 512 * 512
		if int64(len(got)) != rounded || string(got[:size]) != string(want) || strings.Trim(string(got[size:]), "\x00") != "" {
			t.Errorf("size %d: %d bytes arrived, and they differ", size, len(got))
		}
		checkQemuMap(t, l, img, rounded)
		if err := s.Err(); err != nil {
			t.Error(err)
		}
	}
}

// checkQemuMap holds what qemu-img map says against the image: nothing that has data may be called zero, and what is called data
// is no more than the sectors that data touches.
func checkQemuMap(t *testing.T, l *Listener, img disk.Image, size int64) {
	t.Helper()
	var extents []struct {
		Start, Length int64
		Zero          bool
	}
	if err := json.Unmarshal([]byte(mustQemu(t, "qemu-img", "map", "-f", "raw", "--output=json", l.URI())), &extents); err != nil {
		t.Fatal(err)
	}
	hasData := make([]bool, size/512)
	for off := int64(0); off < img.Size(); {
		e, err := img.Extent(t.Context(), off)
		if err != nil {
			t.Fatal(err)
		}
		for i := off / 512; e.Kind == disk.Data && i*512 < e.End(); i++ {
			hasData[i] = true
		}
		off = e.End()
	}
	var at int64
	for _, e := range extents {
		if e.Start != at {
			t.Errorf("the map has a gap at %d", at)
		}
		for i := e.Start / 512; i < (e.Start+e.Length)/512; i++ {
			if hasData[i] == e.Zero {
				t.Errorf("sector %d: data %v, qemu says zero %v", i, hasData[i], e.Zero)
				return
			}
		}
		at = e.Start + e.Length
	}
	if at != size {
		t.Errorf("the map ends at %d, want %d", at, size)
	}
}

func TestQemuIO(t *testing.T) {
	img := disktest.NewMemImage(8 << 20)
	img.Put(1<<20, []byte(strings.Repeat("Z", 1<<20)))
	_, l := start(t, img)
	out := mustQemu(t, "qemu-io", "-r", "-f", "raw", l.URI(), "-c", "read -P 0x5a 1M 1M", "-c", "read -P 0 2M 6M", "-c", "aio_read -P 0x5a 1M 4k",
		"-c", "aio_read -P 0 0 1M", "-c", "aio_flush", "-c", "read -P 0x5a 1048577 3")
	if strings.Contains(out, "failed") || strings.Contains(out, "error") {
		t.Error(out)
	}
	if out, err := qemu(t, "qemu-io", "-f", "raw", l.URI(), "-c", "write 0 512"); err == nil {
		t.Errorf("qemu could open the export for writing:\n%s", out)
	}
}

// TestHolesCostNothing reads a disk of 32 TiB without data, whose content cannot be asked for.
func TestHolesCostNothing(t *testing.T) {
	img := &untouchable{disk.EmptyImage(32 << 40)}
	s, l := start(t, img)
	var extents []any
	if err := json.Unmarshal([]byte(mustQemu(t, "qemu-img", "map", "-f", "raw", "--output=json", l.URI())), &extents); err != nil || len(extents) != 1 {
		t.Errorf("map: %v, %v", extents, err)
	}
	mustQemu(t, "qemu-io", "-r", "-f", "raw", l.URI(), "-c", "read -P 0 31T 16M")
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}

// untouchable has a map and no content.
type untouchable struct{ disk.Image }

func (untouchable) ReadAt([]byte, int64) (int, error) { return 0, errors.New("content was read") }

// failing cannot be read from an offset on.
type failing struct {
	disk.Image
	from int64
	err  error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, f.err
	}
	return f.Image.ReadAt(p, off)
}

// TestTheCauseIsRemembered has the image fail, which a client sees as EIO, and asks the server why.
func TestTheCauseIsRemembered(t *testing.T) {
	cause := &disk.Error{Format: "vmdk", Op: "read grain", File: "a.vmdk", Off: 0x5000, Kind: disk.ErrTruncated}
	img := failing{mixed(5 << 20), 1 << 20, cause}
	s, l := start(t, img)
	if out, err := qemu(t, "qemu-io", "-r", "-f", "raw", l.URI(), "-c", "read 1200k 64k"); err == nil && !strings.Contains(out, "Input/output error") {
		t.Errorf("the read did not fail with EIO:\n%s", out)
	}
	want := "at 0x12c000 of the disk: vmdk: read grain: a.vmdk at 0x5000: image is truncated"
	if err := s.Err(); err == nil || err.Error() != want || !errors.Is(err, disk.ErrTruncated) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if out := mustQemu(t, "qemu-io", "-r", "-f", "raw", l.URI(), "-c", "read 0 64k"); strings.Contains(out, "failed") {
		t.Errorf("what can be read is not served any more:\n%s", out)
	}
}

// TestASimpleReadThatFailsLate ends the connection: the head of the reply, which says that all is well, is out.
func TestASimpleReadThatFailsLate(t *testing.T) {
	s, l := start(t, failing{mixed(5 << 20), 3 * chunkBytes, io.ErrUnexpectedEOF})
	c := dial(t, l, 3)
	c.put(uint64(magicOption), uint32(optExportName), uint32(0))
	c.take(10)
	c.request(0, cmdRead, 7, 0, 4*chunkBytes)
	if e := c.answer(7); e != 0 {
		t.Fatalf("error %d", e)
	}
	if rest, _ := io.ReadAll(c); len(rest) >= 4*chunkBytes {
		t.Errorf("%d bytes arrived of content that cannot be read", len(rest))
	}
	if !errors.Is(s.Err(), io.ErrUnexpectedEOF) {
		t.Errorf("remembered is %v", s.Err())
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	img := mixed(6 << 20)
	s, l := start(t, img)
	var g errgroup.Group
	for i := range maxConnections + 4 { // those beyond the limit wait for a place
		g.Go(func() error {
			c, err := net.Dial("unix", l.Path())
			if err != nil {
				return err
			}
			defer c.Close()
			hello := pack(uint32(3), uint64(magicOption), uint32(optExportName), uint32(0))
			const reads = 40
			for j := range uint64(reads) {
				hello = append(hello, pack(uint32(magicRequest), uint16(0), uint16(cmdRead), j, (j*7919+uint64(i))%(6<<20-5000), uint32(5000))...)
			}
			if _, err := c.Write(hello); err != nil {
				return err
			}
			b := make([]byte, 18+10+reads*(simpleLen+5000))
			if _, err := io.ReadFull(c, b); err != nil {
				return err
			}
			seen := map[uint64]bool{}
			for b = b[28:]; len(b) > 0; b = b[simpleLen+5000:] {
				var cookie uint64
				for _, d := range b[8:16] {
					cookie = cookie<<8 | uint64(d)
				}
				seen[cookie] = true
				want := make([]byte, 5000)
				if _, err := img.ReadAt(want, int64((cookie*7919+uint64(i))%(6<<20-5000))); err != nil {
					return err
				}
				if string(want) != string(b[simpleLen:simpleLen+5000]) {
					return errors.New("wrong content")
				}
			}
			if len(seen) != reads {
				return errors.New("an answer is missing")
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}

// blocking blocks reads until it is let go.
type blocking struct {
	disk.Image
	entered, release chan struct{}
}

func (b blocking) ReadAt(p []byte, off int64) (int, error) {
	b.entered <- struct{}{}
	<-b.release
	return b.Image.ReadAt(p, off)
}

// TestServeEndsWithItsContext stops while a read is under way: Serve returns after it, and not before.
func TestServeEndsWithItsContext(t *testing.T) {
	img := blocking{mixed(5 << 20), make(chan struct{}, 1), make(chan struct{})}
	dir := t.TempDir()
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := New(img, Options{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	idle := dial(t, l, 3)
	c := dial(t, l, 3)
	c.begin()
	c.request(0, cmdRead, 1, 0, 512)
	<-img.entered
	stop()
	idle.gone()
	select {
	case err := <-done:
		t.Fatalf("serve returned (%v) while the image was being read", err)
	default:
	}
	close(img.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("stopping counts as the image's error: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestTheSocketIsPrivate(t *testing.T) {
	_, l := start(t, mixed(1<<20))
	for path, want := range map[string]fs.FileMode{l.Path(): fs.ModeSocket | 0o600, filepath.Dir(l.Path()): fs.ModeDir | 0o700} {
		if st, err := os.Stat(path); err != nil || st.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", path, st.Mode(), err, want)
		}
	}
}

func TestAPathThatIsTooLongIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir); err == nil || !strings.Contains(err.Error(), "at most 107 work") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestOddNamesInTheURI takes a directory whose name means something in a URI.
func TestOddNamesInTheURI(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b+c&d=%41#é?-")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- New(mixed(1<<20), Options{}).Serve(ctx, l) }()
	if out := trimmed(mustQemu(t, "qemu-img", "info", "-f", "raw", l.URI())); !strings.Contains(out, "1 MiB (1048576 bytes)") {
		t.Error(out)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
