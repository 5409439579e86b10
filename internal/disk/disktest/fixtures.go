package disktest

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
)

// fixturesEnv names the folder of fixtures; without it the folder beside the module's root is taken.
const fixturesEnv = "HYPER2KVM_FIXTURES"

// Fixture is a file that another product made, a row of INDEX.tsv.
type Fixture struct {
	Name        string // path in the folder of fixtures, with .gz or .bz2 where it is packed
	Format      string
	Creator     string
	VirtualSize int64  // bytes; -1 if not stated
	RawSHA256   string // of the whole content; "" if not stated
	NzSHA256    string // of the blocks that are not zero; "" if not stated
	Expect      string // ok, refuse, safe, missing-extent, policy, component, parse
	Notes       string

	path          string
	unpackedBytes int64 // 0 if not stated
}

// FixtureDir returns the folder of fixtures; the test is skipped where there is none.
func FixtureDir(tb testing.TB) string {
	tb.Helper()
	dir, err := findFixtures(tb)
	if err != nil {
		tb.Skipf("SKIPPED: no fixtures, so no image of another product was read: %v; set %s", err, fixturesEnv)
	}
	return dir
}

// findFixtures returns where the folder of fixtures would be, and an error if it is not there.
func findFixtures(tb testing.TB) (string, error) {
	tb.Helper()
	dir := os.Getenv(fixturesEnv)
	if dir == "" {
		dir = filepath.Join(filepath.Dir(moduleRoot(tb)), "shared", "fixtures")
	}
	_, err := os.Stat(filepath.Join(dir, "INDEX.tsv"))
	return dir, err
}

// Seeds adds to a fuzz target what is of use: those fixtures of at most so many bytes that is takes. Where there are no fixtures it adds
// nothing and does not skip: a target that would be skipped passes, and nobody sees that nothing was fuzzed. So each has seeds of its own.
func Seeds(f *testing.F, most int, is func(Fixture) bool, add func([]byte)) {
	f.Helper()
	if _, err := findFixtures(f); err != nil {
		f.Logf("no fixtures, so no image of another product is a seed: %v; set %s", err, fixturesEnv)
		return
	}
	seeds := 0
	for _, x := range Fixtures(f) {
		if !is(x) || x.unpackedBytes > int64(most) {
			continue
		}
		if b := x.Bytes(f); len(b) <= most {
			add(b)
			seeds++
		}
	}
	if seeds == 0 {
		f.Fatal("no fixture is a seed")
	}
}

func moduleRoot(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			tb.Fatal("no go.mod above the working directory")
		}
		dir = up
	}
}

// Fixtures returns all rows of INDEX.tsv.
func Fixtures(tb testing.TB) []Fixture {
	tb.Helper()
	dir := FixtureDir(tb)
	b, err := os.ReadFile(filepath.Join(dir, "INDEX.tsv"))
	if err != nil {
		tb.Fatal(err)
	}
	var all []Fixture
	var column map[string]int
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		cells := strings.Split(lines.Text(), "\t")
		if column == nil {
			column = make(map[string]int)
			for i, name := range cells {
				column[name] = i
			}
			continue
		}
		cell := func(name string) string {
			i, ok := column[name]
			if !ok {
				tb.Fatalf("INDEX.tsv has no column %q", name)
			}
			if i >= len(cells) || cells[i] == "-" {
				return ""
			}
			return cells[i]
		}
		f := Fixture{
			Name: cell("file"), Format: cell("format"), Creator: cell("creator"), VirtualSize: -1,
			RawSHA256: cell("raw_sha256"), NzSHA256: cell("nz_sha256"), Expect: cell("expect"), Notes: cell("notes"),
			path: filepath.Join(dir, filepath.FromSlash(cell("file"))),
		}
		if s := cell("virtual_size"); s != "" {
			if f.VirtualSize, err = strconv.ParseInt(s, 10, 64); err != nil {
				tb.Fatalf("INDEX.tsv: %s: %v", f.Name, err)
			}
		}
		if s := cell("unpacked_bytes"); s != "" {
			if f.unpackedBytes, err = strconv.ParseInt(s, 10, 64); err != nil {
				tb.Fatalf("INDEX.tsv: %s: %v", f.Name, err)
			}
		}
		all = append(all, f)
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
	if len(all) == 0 {
		tb.Fatal("INDEX.tsv is empty")
	}
	return all
}

// FixturesOf returns the rows of these formats, and fails the test if there is none.
func FixturesOf(tb testing.TB, formats ...string) []Fixture {
	tb.Helper()
	var some []Fixture
	for _, f := range Fixtures(tb) {
		for _, name := range formats {
			if f.Format == name {
				some = append(some, f)
			}
		}
	}
	if len(some) == 0 {
		tb.Fatalf("no fixture of %q", formats)
	}
	return some
}

// FixtureNamed returns one row.
func FixtureNamed(tb testing.TB, name string) Fixture {
	tb.Helper()
	for _, f := range Fixtures(tb) {
		if f.Name == name {
			return f
		}
	}
	tb.Fatalf("no fixture %q", name)
	return Fixture{}
}

// Path returns the host path of the unpacked file: the fixture itself, or a sparse copy that goes with the test.
func (f Fixture) Path(tb testing.TB) string {
	tb.Helper()
	return unpack(tb, f.path)
}

// Open opens the unpacked file.
func (f Fixture) Open(tb testing.TB) *disk.HostFile {
	tb.Helper()
	h, err := disk.OpenFile(f.Path(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

// Bytes returns the unpacked file; only for small ones: seeds of fuzz targets.
func (f Fixture) Bytes(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile(f.Path(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Opener opens the files beside the fixture by their plain unpacked names.
func (f Fixture) Opener(tb testing.TB) disk.Opener {
	tb.Helper()
	dir := filepath.Dir(f.path)
	plain := disk.DirOpener(dir)
	return func(name string) (disk.File, error) {
		file, err := plain(name)
		if err == nil || !errors.Is(err, disk.ErrMissing) {
			return file, err
		}
		for _, suffix := range []string{".gz", ".bz2"} {
			packed := filepath.Join(dir, filepath.Base(name)+suffix)
			if _, serr := os.Stat(packed); serr == nil {
				return disk.OpenFile(unpack(tb, packed))
			}
		}
		return nil, err
	}
}

// unpack returns path, or the path of an unpacked copy.
func unpack(tb testing.TB, path string) string {
	tb.Helper()
	ext := filepath.Ext(path)
	if ext != ".gz" && ext != ".bz2" {
		return path
	}
	in, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer in.Close()
	r := bzip2.NewReader(in)
	if ext == ".gz" {
		if r, err = gzip.NewReader(in); err != nil {
			tb.Fatal(err)
		}
	}
	target := filepath.Join(tb.TempDir(), strings.TrimSuffix(filepath.Base(path), ext))
	if err := writeSparse(target, r); err != nil {
		tb.Fatalf("unpack %s: %v", path, err)
	}
	return target
}

// writeSparse writes what r gives and leaves out pages of zeroes.
func writeSparse(path string, r io.Reader) error {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	buf, zero := make([]byte, memPage), make([]byte, memPage)
	var off int64
	for {
		n, err := io.ReadFull(r, buf)
		if !bytes.Equal(buf[:n], zero[:n]) {
			if _, err := out.WriteAt(buf[:n], off); err != nil {
				return err
			}
		}
		off += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if err := out.Truncate(off); err != nil {
		return err
	}
	return out.Close()
}

// maxRawHash is the largest disk whose zeroes are hashed too: more takes seconds and proves nothing that the other hash does not.
const maxRawHash = 64 << 20

// CheckContent fails the test unless the image has the size and the content that INDEX.tsv says.
func CheckContent(tb testing.TB, img disk.Image, f Fixture) {
	tb.Helper()
	if f.VirtualSize >= 0 && img.Size() != f.VirtualSize {
		tb.Errorf("%s: virtual size is %d, INDEX.tsv says %d", f.Name, img.Size(), f.VirtualSize)
	}
	checked := false
	if f.NzSHA256 != "" {
		checked = true
		got, err := nzHash(tb, img)
		if err != nil {
			tb.Errorf("%s: %v", f.Name, err)
			return
		}
		if got != f.NzSHA256 {
			tb.Errorf("%s: nz_sha256 is %s, INDEX.tsv says %s", f.Name, got, f.NzSHA256)
		}
	}
	if f.RawSHA256 != "" && (img.Size() <= maxRawHash || !checked) {
		checked = true
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(img, 0, img.Size())); err != nil {
			tb.Errorf("%s: %v", f.Name, err)
			return
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != f.RawSHA256 {
			tb.Errorf("%s: raw_sha256 is %s, INDEX.tsv says %s", f.Name, got, f.RawSHA256)
		}
	}
	if !checked {
		tb.Errorf("%s: INDEX.tsv has no hash to check", f.Name)
	}
}

// nzHash is SHA-256 over offset and content of every 4 KiB block that is not zero. It believes the map where that says zero.
func nzHash(tb testing.TB, img disk.Image) (string, error) {
	tb.Helper()
	const block = 4096
	h := sha256.New()
	buf, zero := make([]byte, 1<<20), make([]byte, block)
	for off := int64(0); off < img.Size(); {
		e, err := img.Extent(tb.Context(), off)
		if err != nil {
			return "", fmt.Errorf("map at %d: %w", off, err)
		}
		if e.Kind != disk.Data && e.Off+e.Len-e.Len%block > off && off%block == 0 && e.Len >= block {
			off += e.Len - e.Len%block
			continue
		}
		n := min(int64(len(buf)), img.Size()-off, max(e.Len, block))
		if n > block {
			n -= n % block
		}
		if got, err := img.ReadAt(buf[:n], off); int64(got) < n {
			return "", fmt.Errorf("read %d bytes at %d: got %d: %w", n, off, got, err)
		}
		for at := int64(0); at < n; at += block {
			b := buf[at:min(at+block, n)]
			if bytes.Equal(b, zero[:len(b)]) {
				continue
			}
			var head [8]byte
			binary.BigEndian.PutUint64(head[:], uint64(off+at))
			h.Write(head[:])
			h.Write(b)
		}
		off += n
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
