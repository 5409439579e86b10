package ova

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk/disktest"
	"hyper2kvm/internal/machine"
)

func TestOpenWhatArchiveTarWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zé][a-z0-9 é./-]{0,150}[a-z]`), 1, 6, func(s string) string {
			clean, err := machine.RelativeName(s)
			if err != nil {
				return s
			}
			return clean
		}).Draw(t, "names")
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		var want []Member
		for _, n := range names {
			clean, err := machine.RelativeName(n)
			if err != nil {
				continue
			}
			size := rapid.IntRange(0, 2000).Draw(t, "size")
			if err := w.WriteHeader(&tar.Header{Name: n, Size: int64(size), Mode: 0o600}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(bytes.Repeat([]byte{byte(len(want) + 1)}, size)); err != nil {
				t.Fatal(err)
			}
			want = append(want, Member{Name: clean, Size: int64(size)})
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		a, err := open(b.Bytes())
		if len(want) == 0 {
			return
		}
		if err != nil || len(a.Members()) != len(want) {
			t.Fatalf("%v, want %v: %v", a, want, err)
		}
		for i, m := range a.Members() {
			content := b.Bytes()[m.Off : m.Off+m.Size]
			if m.Name != want[i].Name || m.Size != want[i].Size || len(bytes.TrimLeft(content, string(rune(i+1)))) != 0 {
				t.Fatalf("member %+v, want %+v", m, want[i])
			}
		}
	})
}

// maxSeed keeps the seeds small enough for a fuzzer to work with.
const maxSeed = 1 << 20

// FuzzOpen holds of any archive that opens that its members lie in it and have plain names, each once.
func FuzzOpen(f *testing.F) {
	disktest.Seeds(f, maxSeed, func(x disktest.Fixture) bool {
		return strings.HasPrefix(x.Name, "hostile/made/ova-") || strings.HasSuffix(x.Name, "-t1.ova")
	}, func(b []byte) { f.Add(b) })
	f.Add(paxSparse(f))
	f.Add(pack(f, tar.FormatGNU, file{strings.Repeat("n", 200), "x"}, file{"x.ovf", "<x/>"}, file{"x.mf", "SHA1(x.ovf)= 00"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := open(b)
		if (a == nil) == (err == nil) {
			t.Fatalf("archive %v with error %v", a, err)
		}
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, m := range a.Members() {
			if m.Off < 0 || m.Size < 0 || m.Off > int64(len(b))-m.Size || m.Off%blockSize != 0 || seen[m.Name] {
				t.Fatalf("member %+v of %d bytes", m, len(b))
			}
			if clean, err := machine.RelativeName(m.Name); err != nil || clean != m.Name {
				t.Fatalf("member name %q: %v", m.Name, err)
			}
			seen[m.Name] = true
		}
		_ = a.VerifyChecksums(t.Context(), nil)
	})
}
