package windows

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

func openBytes(b []byte) (*hive, error) { return openHive(bytes.NewReader(b), int64(len(b))) }

// TestHiveFindsWhatWasWritten: every key is found in any case, and every value is read, with each kind of list.
func TestHiveFindsWhatWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := &testKey{name: "ROOT"}
		name := rapid.StringMatching(`[A-Za-z0-9 {}&#ÄöЖ-]{1,40}`)
		for range rapid.IntRange(1, 30).Draw(t, "keys") {
			k := root.at(name.Draw(t, "a"), name.Draw(t, "b"))
			v := name.Draw(t, "v")
			if !slices.ContainsFunc(k.values, func(had testValue) bool { return strings.EqualFold(had.name, v) }) {
				k.set(testValue{v, regSZ, rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")})
			}
		}
		b := buildHive(root, rapid.SampledFrom([]string{"lf", "lh", "li", "ri"}).Draw(t, "list"))
		h, err := openBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range root.keys {
			for _, k := range a.keys {
				h.reads, h.bytes = 0, 0
				got, err := h.open(strings.ToLower(a.name), strings.ToUpper(k.name))
				if err != nil {
					t.Fatalf("%q %q: %v", a.name, k.name, err)
				}
				for _, v := range k.values {
					if _, data, err := got.value(strings.ToUpper(v.name)); err != nil || !bytes.Equal(data, v.data) {
						t.Fatalf("value %q is %q, %v, want %q", v.name, data, err, v.data)
					}
				}
				if _, _, err := got.value("no such value!"); !errors.Is(err, fs.ErrNotExist) {
					t.Fatalf("a value that is not there: %v", err)
				}
			}
		}
		if _, err := h.open("no such key!"); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("a key that is not there: %v", err)
		}
	})
}

// TestBuiltHiveIsOne: hivex, another reader, finds in a built hive what was written, so that the tests test the format and not each other.
func TestBuiltHiveIsOne(t *testing.T) {
	tool, err := exec.LookPath("hivexregedit")
	if err != nil {
		t.Skip("hivexregedit is not here: the built hives are not held against another reader")
	}
	for _, list := range []string{"lf", "lh", "ri"} {
		file := filepath.Join(t.TempDir(), "hive")
		if err := os.WriteFile(file, buildHive(softwareOf("Windows 10 Pro", "19045", 10), list), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), tool, "--export", "--unsafe-printable-strings", file, `\Microsoft\Windows NT\CurrentVersion`).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", list, err, out)
		}
		if !strings.Contains(string(out), "Windows 10 Pro") || !strings.Contains(string(out), `"CurrentMajorVersionNumber"=dword:0000000a`) {
			t.Errorf("%s: hivex reads:\n%s", list, out)
		}
	}
}

func TestHiveRefuses(t *testing.T) {
	good := buildHive(softwareOf("Windows 10 Pro", "19045", 10), "lh")
	for name, damage := range map[string]func(b []byte) []byte{
		"empty":             func([]byte) []byte { return nil },
		"cut in the header": func(b []byte) []byte { return b[:4095] },
		"cut in the cells":  func(b []byte) []byte { return b[:baseBlock+64] },
		"no hive":           func(b []byte) []byte { copy(b, "MZ"); return b },
		"a log":             func(b []byte) []byte { b[28] = 1; return b },
		"root outside":      func(b []byte) []byte { binary.LittleEndian.PutUint32(b[36:], 0xfffffff8); return b },
		"root unaligned":    func(b []byte) []byte { b[36]++; return b },
		"root is free":      func(b []byte) []byte { binary.LittleEndian.PutUint32(b[baseBlock+32:], 96); return b },
		"list names itself": func(b []byte) []byte { return listOfItself(b) },
		"count too large": func(b []byte) []byte {
			before, _, _ := bytes.Cut(b, []byte("lh"))
			binary.LittleEndian.PutUint16(b[len(before)+2:], 0xffff)
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := openBytes(damage(slices.Clone(good)))
			if err == nil {
				_, err = h.open("Microsoft", "Windows NT", "CurrentVersion")
			}
			if !errors.Is(err, ErrHive) {
				t.Errorf("err is %v, want ErrHive", err)
			}
		})
	}
}

// listOfItself makes the root's list one of lists that holds itself.
func listOfItself(b []byte) []byte {
	root := baseBlock + int(u32(b, 36)) + 4
	list := u32(b, root+28)
	at := baseBlock + int(list) + 4
	copy(b[at:], "ri")
	binary.LittleEndian.PutUint16(b[at+2:], 1)
	binary.LittleEndian.PutUint32(b[at+4:], list)
	return b
}

// FuzzHive: reading ends, within its bound, and what cannot be read is a damaged hive or a thing that is not there.
func FuzzHive(f *testing.F) {
	for _, list := range []string{"lf", "lh", "li", "ri"} {
		f.Add(buildHive(softwareOf("Windows 10 Pro", "19045", 10), list))
		f.Add(buildHive(systemHive(virtioDriver("viostor", 0, "VEN_1AF4&DEV_1001&SUBSYS_1")), list))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range []string{"SOFTWARE", "SYSTEM"} {
			h, err := openBytes(b)
			if err != nil {
				if !errors.Is(err, ErrHive) {
					t.Fatal(err)
				}
				continue
			}
			var d Details
			var system guest.System
			if name == "SOFTWARE" {
				err = d.software(h, &system)
			} else {
				var set string
				if set, err = d.system(h, &system); err == nil {
					_, err = readiness(t.Context(), guesttest.NewTree(), "Windows", h, set)
				}
			}
			if err != nil && !errors.Is(err, ErrHive) && !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("%s: %v", name, err)
			}
			if h.reads > maxReads+1 {
				t.Fatalf("%d reads", h.reads)
			}
		}
	})
}

func TestBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := bytes.Repeat([]byte("0123456789abcde"), 20000)
		b := &blocks{r: bytes.NewReader(want), size: int64(len(want)), kept: map[int64][]byte{}}
		off := rapid.IntRange(0, len(want)).Draw(t, "offset")
		p := make([]byte, rapid.IntRange(0, 3*hiveBlock).Draw(t, "length"))
		n, err := b.ReadAt(p, int64(off))
		if wantN := min(len(p), len(want)-off); n != wantN || (err == nil) != (n == len(p)) || !bytes.Equal(p[:n], want[off:off+n]) {
			t.Fatalf("read %d, %v, want %d", n, err, wantN)
		}
	})
}

// withHives puts hives into a tree as NTFS may show them.
func withHives(software, system []byte) *guesttest.Tree {
	tree := guesttest.NewTree()
	tree.Put("/WINDOWS/system32/Config/software", guest.File{Data: software, Mode: 0o644})
	tree.Put("/WINDOWS/system32/Config/SYSTEM", guest.File{Data: system, Mode: 0o644})
	return tree
}

func TestFind(t *testing.T) {
	tree := guesttest.NewTree()
	tree.Text("/WINDOWS/System32/drivers/VioStor.SYS", "x")
	got, err := find(t.Context(), tree, "Windows", "system32", "DRIVERS", "viostor.sys")
	if err != nil || got != "/WINDOWS/System32/drivers/VioStor.SYS" {
		t.Errorf("found %q, %v", got, err)
	}
	for _, path := range [][]string{{"Windows", "System32", "drivers", "viostor"}, {"Windows", "System32", "drivers", "viostor.sys", "x"}} {
		if got, err := find(t.Context(), tree, path...); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: found %q, %v", path, got, err)
		}
	}
	broken := errors.New("input/output error")
	if _, err := find(t.Context(), brokenFS{tree, broken}, "Windows"); !errors.Is(err, broken) {
		t.Errorf("an error of the tree becomes %v", err)
	}
}

type brokenFS struct {
	guest.FS
	err error
}

func (b brokenFS) Lstat(context.Context, string) (guest.Info, error) { return guest.Info{}, b.err }
