package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkRawToQcow2 converts 2.1 GB of this machine's /usr on a 4 GiB disk, against qemu-img convert.
func BenchmarkRawToQcow2(b *testing.B) {
	qemu, err := exec.LookPath("qemu-img")
	if err != nil {
		b.Skip("SKIPPED: qemu-img is not installed: make test installs it")
	}
	hyperctl := filepath.Join(programs(b), "hyperctl")
	dir := b.TempDir()
	src := filepath.Join(dir, "usr.raw")
	usrDisk(b, src, 4<<30, 2100<<20)
	for _, c := range []struct {
		name         string
		ours, theirs []string
	}{
		{"zlib", []string{"--compress", "--compression", "zlib"}, []string{"-c"}},
		{"zlib-vs-tuned", []string{"--compress", "--compression", "zlib"}, []string{"-c", "-W", "-m", "16"}},
		{"zstd", []string{"--compress", "--compression", "zstd"}, []string{"-c", "-o", "compression_type=zstd"}},
		{"plain", nil, nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				o, t := filepath.Join(dir, "ours.qcow2"), filepath.Join(dir, "theirs.qcow2")
				ratio, ourRuns, theirRuns := pairs(
					func() run {
						os.Remove(o)
						return timed(b, hyperctl, append([]string{"-q", "image", "convert", src, o}, c.ours...)...)
					},
					func() run {
						os.Remove(t)
						return synced(b, t, qemu, append(append([]string{"convert", "-f", "raw", "-O", "qcow2"}, c.theirs...), src, t)...)
					})
				grown := float64(size(b, o)) / float64(size(b, t))
				row(b, "%5.2f times as fast (%.1f s against %.1f s), output %+.1f %%, peak %d MB", ratio, wall(ourRuns), wall(theirRuns),
					(grown-1)*100, peak(ourRuns)>>20)
				b.ReportMetric(ratio, "times")
				b.ReportMetric(grown, "size-ratio")
				b.ReportMetric(float64(peak(ourRuns)>>20), "peak-MB")
			}
		})
	}
}

// BenchmarkSparse compares a 4 TiB disk that holds 1 GB with a 4 GiB disk that holds the same.
func BenchmarkSparse(b *testing.B) {
	hyperctl := filepath.Join(programs(b), "hyperctl")
	dir := b.TempDir()
	small, big, dst := filepath.Join(dir, "small.raw"), filepath.Join(dir, "big.raw"), filepath.Join(dir, "out.qcow2")
	usrDisk(b, small, 4<<30, 1000<<20)
	usrDisk(b, big, 4<<40, 1000<<20)
	convert := func(src string) func() run {
		return func() run {
			os.Remove(dst)
			return timed(b, hyperctl, "-q", "image", "convert", src, dst, "--compress")
		}
	}
	for range b.N {
		ratio, ourRuns, smallRuns := pairs(convert(big), convert(small))
		row(b, "%5.2f times the time of the 4 GiB disk (%.1f s against %.1f s), peak %d MB", 1/ratio, wall(ourRuns), wall(smallRuns), peak(ourRuns)>>20)
		b.ReportMetric(1/ratio, "times")
		b.ReportMetric(float64(peak(ourRuns)>>20), "peak-MB")
	}
}
