package xz_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/xz"
)

// xzProgram compresses with xz(1), which stands for everything that writes such files; without it the test is skipped, saying so.
func xzProgram(tb testing.TB, content []byte, args ...string) []byte {
	tb.Helper()
	if _, err := exec.LookPath("xz"); err != nil {
		tb.Skip("SKIPPED: xz is not installed, so nothing writes .xz files to read; scripts/test-deps installs it")
	}
	cmd := exec.CommandContext(tb.Context(), "xz", append([]string{"--stdout", "--threads=1"}, args...)...)
	cmd.Stdin = bytes.NewReader(content)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	if err := cmd.Run(); err != nil {
		tb.Fatalf("xz %s: %v: %s", strings.Join(args, " "), err, msg.String())
	}
	return out.Bytes()
}

// decode reads a whole file.
func decode(b []byte) ([]byte, error) {
	r, err := xz.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// diskLike is content as disks have it: text, tables, noise, zeroes and repetitions from afar.
func diskLike(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	var b []byte
	for len(b) < n {
		switch r.IntN(6) {
		case 0:
			b = append(b, make([]byte, r.IntN(20000))...)
		case 1:
			for range r.IntN(4000) {
				b = append(b, byte(r.Uint32()))
			}
		case 2:
			for i := range r.IntN(1000) {
				b = append(b, byte(i), byte(i>>8), 0, byte(seed))
			}
		case 3:
			for range r.IntN(400) {
				b = append(b, []string{"drwxr-xr-x ", "root ", "kernel: ", "2024-05-", "\n", "the disk "}[r.IntN(6)]...)
			}
		default:
			if len(b) > 0 {
				from := r.IntN(len(b))
				b = append(b, b[from:min(len(b), from+r.IntN(5000))]...)
			}
		}
	}
	return b[:n]
}

// program is machine code: the tests' own, which is full of calls.
func program(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		tb.Fatal(err)
	}
	return b[:min(len(b), 512<<10)]
}

// jumps is content in which every branch filter finds something to convert, at odd places too.
func jumps(n int) []byte {
	r := rand.New(rand.NewPCG(7, 7))
	b := make([]byte, 0, n)
	for len(b) < n {
		v := r.Uint32()
		switch r.IntN(8) {
		case 0:
			b = append(b, 0xe8, byte(v), byte(v>>8), byte(v>>16), []byte{0, 0xff}[r.IntN(2)])
		case 1:
			b = append(b, 0xe9, 0xe8, 0xe8, byte(v), 0, 0xff, 0)
		case 2:
			b = append(b, byte(v), byte(v>>8), byte(v>>16), 0xeb)
		case 3:
			b = append(b, byte(v), 0xf0|byte(v>>8)&7, byte(v>>16), 0xf8|byte(v>>24)&7)
		case 4:
			b = append(b, 0x48|byte(v)&3, byte(v>>8), byte(v>>16), byte(v>>24)&^3|1)
		case 5:
			b = append(b, 0x40, byte(v)&0x3f, byte(v>>16), byte(v>>24), 0x7f, 0xc0|byte(v), 1, 2)
		case 6:
			b = append(b, byte(v), byte(v>>8), byte(v>>16), 0x94|byte(v>>24)&3, byte(v), byte(v>>8), byte(v>>16)&1, 0x90|byte(v>>24)&0x60)
		default:
			b = append(b, make([]byte, r.IntN(9))...)
		}
	}
	return b[:n]
}

func TestReadsWhatXZWrites(t *testing.T) {
	disk := diskLike(1<<20, 42)
	contents := map[string][]byte{
		"empty": {}, "one byte": {'x'}, "zeroes": make([]byte, 3<<20), "disk": disk, "noise": noise(300 << 10), "program": program(t), "jumps": jumps(200_001),
	}
	for _, args := range [][]string{
		{"-0"}, {"-3"}, {"-6"}, {"-9e"}, {"-1", "--check=none"}, {"-1", "--check=crc32"}, {"-1", "--check=sha256"},
		{"-0", "--block-size=70000"}, {"--lzma2=preset=0,dict=4096"}, {"--lzma2=preset=1,dict=64KiB,lc=0,lp=3,pb=0"},
		{"--lzma2=preset=1,lc=4,lp=0,pb=4"}, {"--lzma2=preset=1,lc=1,lp=2,pb=1,mode=fast"},
		{"--x86", "--lzma2=preset=1"}, {"--x86=start=4096", "--lzma2=preset=0"}, {"--powerpc", "--lzma2=preset=0"}, {"--arm", "--lzma2=preset=0"},
		{"--armthumb", "--lzma2=preset=0"}, {"--arm64", "--lzma2=preset=0"}, {"--sparc", "--lzma2=preset=0"}, {"--delta=dist=1", "--lzma2=preset=0"},
		{"--delta=dist=256", "--lzma2=preset=0"}, {"--x86", "--delta=dist=4", "--arm", "--lzma2=preset=0"}, {"--threads=2", "--block-size=500000", "-1"},
		{"--format=lzma", "-0"}, {"--format=lzma", "-6"}, {"--format=lzma", "--lzma1=preset=1,dict=4096,lc=2,lp=1,pb=0"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			for name, content := range contents {
				got, err := decode(xzProgram(t, content, args...))
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if !bytes.Equal(got, content) {
					t.Errorf("%s: the content differs", name)
				}
			}
		})
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	r.Read(b)
	return b
}

// TestReadsAtAnyPace reads with buffers of every small size, out of a reader that gives one byte at a time.
func TestReadsAtAnyPace(t *testing.T) {
	content := diskLike(30_000, 3)
	for _, args := range [][]string{{"-0", "--block-size=7000"}, {"--format=lzma", "--lzma1=preset=0,dict=4096"}, {"--x86", "--lzma2=preset=0,dict=4096"}} {
		packed := xzProgram(t, content, args...)
		for size := 1; size < 40; size += 3 {
			r, err := xz.NewReader(&oneByOne{packed})
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			buf := make([]byte, size)
			for err == nil {
				var n int
				n, err = r.Read(buf)
				got = append(got, buf[:n]...)
			}
			if !errors.Is(err, io.EOF) || !bytes.Equal(got, content) {
				t.Errorf("%v with buffers of %d: %d bytes, %v", args, size, len(got), err)
			}
		}
	}
}

type oneByOne struct{ b []byte }

func (o *oneByOne) Read(p []byte) (int, error) {
	if len(o.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:1], o.b)
	o.b = o.b[n:]
	return n, nil
}

// TestReadsFilesOfThisMachine reads files that other people's builds made, where this machine has some.
func TestReadsFilesOfThisMachine(t *testing.T) {
	var found []string
	for _, glob := range []string{"/usr/share/man/*/*.xz", "/usr/share/doc/*/*.xz", "/lib/modules/*/kernel/*/*.ko.xz", "/usr/lib/firmware/*.xz"} {
		names, _ := filepath.Glob(glob)
		found = append(found, names[:min(len(names), 20)]...)
	}
	for _, name := range found {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if _, err := decode(b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	for name, content := range map[string][]byte{"disk": diskLike(16<<20, 1), "zeroes": make([]byte, 64<<20), "program": program(b)} {
		packed := xzProgram(b, content, "-6")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				r, err := xz.NewReader(bytes.NewReader(packed))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
