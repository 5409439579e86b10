package zstdblock

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

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
	p, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	return p[:min(len(p), 32<<20)/MaxContent*MaxContent]
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
	run := func(name string, encode func(dst, src []byte) int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			dst := make([]byte, 0, 2*MaxContent)
			left := 0
			start := cpuTime(b)
			for b.Loop() {
				left = 0
				for i := 0; i < len(p); i += MaxContent {
					left += encode(dst, p[i:i+MaxContent])
				}
			}
			b.ReportMetric(float64(len(p))*float64(b.N)/1e6/(cpuTime(b)-start).Seconds(), "cpu-MB/s")
			b.ReportMetric(float64(left)/float64(len(p)), "ratio")
		})
	}
	e := NewEncoder()
	run("own", func(dst, src []byte) int {
		if out, ok := e.EncodeLimit(dst, src, MaxContent); ok {
			return len(out)
		}
		return MaxContent
	})
	for _, level := range []zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault} {
		k, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(MaxContent))
		if err != nil {
			b.Fatal(err)
		}
		run("klauspost "+level.String(), func(dst, src []byte) int { return min(MaxContent, len(k.EncodeAll(src, dst))) })
	}
}
