package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	kflate "github.com/klauspost/compress/flate"
)

const benchBlock = 65536 // a cluster of a qcow2 image, a grain of a VMDK image

// benchData is the file that HYPER2KVM_BENCH_DATA names, for instance a tar of /usr, or else a part of the program that runs.
func benchData(b *testing.B) []byte {
	b.Helper()
	name := os.Getenv("HYPER2KVM_BENCH_DATA")
	if name == "" {
		var err error
		if name, err = os.Executable(); err != nil {
			b.Skip("no data to measure with: ", err)
		}
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p, err := io.ReadAll(io.LimitReader(f, 16<<20))
	if err != nil {
		b.Fatal(err)
	}
	return p[:len(p)/benchBlock*benchBlock]
}

// cpuTime is what this process has computed: unlike the wall's, it changes little when others compute, too.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEncode compresses blocks of 64 KiB; "ratio" is how much is left.
func BenchmarkEncode(b *testing.B) {
	p := benchData(b)
	run := func(name string, encode func(src []byte) int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			left := 0
			start := cpuTime(b)
			for b.Loop() {
				left = 0
				for i := 0; i < len(p); i += benchBlock {
					left += encode(p[i : i+benchBlock])
				}
			}
			b.ReportMetric(float64(len(p))*float64(b.N)/1e6/(cpuTime(b)-start).Seconds(), "cpu-MB/s")
			b.ReportMetric(float64(left)/float64(len(p)), "ratio")
		})
	}
	for _, c := range []struct {
		name string
		o    Options
	}{{"fast", Options{}}, {"small", Options{Level: Small}}, {"fast 32K", Options{Window: maxWindow}}, {"small 32K", Options{Level: Small, Window: maxWindow}}} {
		e := newTestEncoder(b, c.o)
		dst := make([]byte, 0, 2*benchBlock)
		run(c.name, func(src []byte) int { return len(e.Encode(dst, src)) })
	}
	type writer interface {
		io.WriteCloser
		Reset(w io.Writer)
	}
	stream := func(name string, w writer, err error) {
		if err != nil {
			b.Fatal(err)
		}
		var out bytes.Buffer
		run(name, func(src []byte) int {
			out.Reset()
			w.Reset(&out)
			_, _ = w.Write(src)
			_ = w.Close()
			return out.Len()
		})
	}
	k, err := kflate.NewWriterWindow(io.Discard, defaultWindow)
	stream("klauspost 4K", k, err)
	for _, level := range []int{1, 6} {
		k, err := kflate.NewWriter(io.Discard, level)
		stream("klauspost level "+string(rune('0'+level)), k, err)
	}
	s, err := flate.NewWriter(io.Discard, 6)
	stream("compress level 6", s, err)
}

// BenchmarkInflate decompresses the blocks as compress/flate writes them.
func BenchmarkInflate(b *testing.B) {
	p := benchData(b)
	var blocks [][]byte
	w, err := flate.NewWriter(io.Discard, 6)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(p); i += benchBlock {
		var out bytes.Buffer
		w.Reset(&out)
		_, _ = w.Write(p[i : i+benchBlock])
		_ = w.Close()
		blocks = append(blocks, out.Bytes())
	}
	dst := make([]byte, benchBlock)
	run := func(name string, inflate func(in []byte) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				for _, in := range blocks {
					if err := inflate(in); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
	var d Decoder
	run("own", func(in []byte) error {
		_, _, err := d.Inflate(dst, in)
		return err
	})
	var in bytes.Reader
	stream := func(r io.Reader, reset func() error) func([]byte) error {
		return func(b []byte) error {
			in.Reset(b)
			if err := reset(); err != nil {
				return err
			}
			_, err := io.ReadFull(r, dst)
			return err
		}
	}
	k := kflate.NewReader(&in)
	run("klauspost", stream(k, func() error { return k.(kflate.Resetter).Reset(&in, nil) }))
	s := flate.NewReader(&in)
	run("compress", stream(s, func() error { return s.(flate.Resetter).Reset(&in, nil) }))
}
