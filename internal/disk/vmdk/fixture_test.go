package vmdk

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

func TestFixtures(t *testing.T) {
	tested := map[string]int{}
	for _, x := range disktest.FixturesOf(t, "vmdk", "hostile") {
		if !strings.Contains(x.Name, "vmdk") {
			continue
		}
		tested[x.Expect]++
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			switch x.Expect {
			case "ok":
				checkContent(t, x)
			case "missing-extent":
				checkMissing(t, x)
			case "safe":
				checkSafe(t, x)
			case "component":
			default:
				t.Fatalf("expectation %q is not known", x.Expect)
			}
		})
	}
	for _, expect := range []string{"ok", "missing-extent", "safe"} {
		if tested[expect] < 8 {
			t.Errorf("only %d images of expectation %q", tested[expect], expect)
		}
	}
}

func checkContent(t *testing.T, x disktest.Fixture) {
	t.Helper()
	f := x.Open(t)
	head := make([]byte, min(f.Size(), probeSize))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) || !Probe(head) {
		t.Errorf("not recognised: %v", err)
	}
	open, trace := disktest.TracingOpener(x.Opener(t))
	img, err := Open(t.Context(), f, disk.Env{Open: open})
	if err != nil {
		t.Fatal(err)
	}
	disktest.CheckContent(t, img, x)
	found, err := img.Check(t.Context())
	if err != nil || len(found.Problems) > 0 {
		t.Errorf("check: %v, %v", found.Problems, err)
	}
	if info := img.Describe(); len(info) != 1 || info[0].Variant == "" || info[0].Size != img.Size() || len(info[0].Notes) > 0 {
		t.Errorf("described as %+v", info)
	}
	img.Close()
	trace.CheckClosed(t)
}

func checkMissing(t *testing.T, x disktest.Fixture) {
	t.Helper()
	names, parent, err := References(x.Open(t))
	if err != nil || len(names) == 0 || parent != "" {
		t.Fatalf("references %q, parent %q, %v", names, parent, err)
	}
	_, err = Open(t.Context(), x.Open(t), disk.Env{Open: x.Opener(t)})
	disktest.CheckError(t, err, disk.ErrMissing, names[0], filepath.Base(x.Name))
}

// checkSafe opens a hostile image, reads what it lets, and watches what it asks for.
func checkSafe(t *testing.T, x disktest.Fixture) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	open, trace := disktest.TracingOpener(func(name string) (disk.File, error) {
		f, err := x.Opener(t)(name)
		if err == nil && strings.ContainsAny(name, `/\`) {
			t.Errorf("%q was opened", name)
		}
		return f, err
	})
	img, err := Open(ctx, x.Open(t), disktest.EnvOf(Open, formatName, open, nil))
	if err == nil {
		_, err = io.Copy(io.Discard, io.NewSectionReader(img, 0, min(img.Size(), 64<<20)))
		img.Close()
	}
	trace.CheckClosed(t)
	if err != nil && !disktest.IsKind(err) {
		t.Errorf("error %v is of no kind", err)
	}
	if err == nil && strings.HasPrefix(x.Name, "hostile/made/") {
		t.Error("a crafted image was read without an error")
	}
}

// member returns the VMDK in an OVA, unpacked.
func member(t *testing.T, ova string) *disktest.MemFile {
	t.Helper()
	f, err := os.Open(filepath.Join(disktest.FixtureDir(t), ova))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		name, packed := strings.CutSuffix(h.Name, ".gz")
		if strings.HasSuffix(name, ".vmdk") {
			content := io.Reader(r)
			if packed {
				if content, err = gzip.NewReader(r); err != nil {
					t.Fatal(err)
				}
			}
			b, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			return disktest.NewMemFile(name, b)
		}
	}
}

// ovftoolAppliances hold streams that VMware's ovftool wrote: two of an empty disk, one of those with progress markers, one
// of 16 grains in five tables.
var ovftoolAppliances = []string{
	"ovf/vbox-tdAppliance1-t2-ovftool-4.1.0.ova", "ovf/vbox-tdAppliance1-t3-ovftool-4.1.0.ova",
	"ovf/vbox-tdAppliance1-t5-ovftool-4.1.0.ova", "ovf/vbox-tdAppliance1-t6-ovftool-4.1.0.ova",
}

func TestOVAMembers(t *testing.T) {
	img, err := Open(t.Context(), member(t, "ovf/vbox-tdAppliance1-t2-ovftool-4.1.0.ova"), disk.Env{})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if e, err := img.Extent(t.Context(), 0); err != nil || e != (disk.Extent{Len: 2 << 30, Kind: disk.Unallocated}) {
		t.Errorf("an empty disk of 2 GiB has the extent %+v, %v", e, err)
	}
	cut := member(t, "ovf/govmomi-ttylinux-pc_i486-16.1.ova")
	_, err = Open(t.Context(), cut, disk.Env{})
	disktest.CheckError(t, err, disk.ErrTruncated, strconv.FormatInt(cut.Size(), 10))
	if cut.Closed() != 1 {
		t.Errorf("closed %d times, want once", cut.Closed())
	}
}
