package bench_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// source is one kind of image that people bring, and how qemu-img is told to read it.
type source struct {
	name string
	path string
	read string // qemu-img's name of the format
}

// target is one kind of image that is written.
type target struct {
	name   string
	ours   []string
	theirs []string
}

var targets = []target{
	{"raw", []string{"--output-format", "raw"}, []string{"-O", "raw"}},
	{"qcow2", []string{"--output-format", "qcow2"}, []string{"-O", "qcow2"}},
	{"qcow2-zlib", []string{"--output-format", "qcow2", "--compress", "--compression", "zlib"}, []string{"-O", "qcow2", "-c"}},
	{"qcow2-zstd", []string{"--output-format", "qcow2", "--compress", "--compression", "zstd"}, []string{"-O", "qcow2", "-c", "-o", "compression_type=zstd"}},
}

// sources makes the same disk in every format; qemu-img makes those that it is known to make well, so that the peers read files
// that neither of them may have laid out to its liking.
func sources(b *testing.B, dir, hyperctl, qemu string) []source {
	b.Helper()
	raw := filepath.Join(dir, "disk.raw")
	usrDisk(b, raw, 2<<30, 700<<20)
	at := func(name string) string { return filepath.Join(dir, name) }
	timed(b, hyperctl, "-q", "image", "convert", raw, at("stream.vmdk"), "--output-format", "vmdk")
	timed(b, qemu, "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=monolithicSparse", raw, at("sparse.vmdk"))
	timed(b, qemu, "convert", "-f", "raw", "-O", "vhdx", raw, at("disk.vhdx"))
	timed(b, qemu, "convert", "-f", "raw", "-O", "vpc", "-o", "force_size=on", raw, at("disk.vhd"))
	timed(b, qemu, "convert", "-f", "raw", "-O", "qcow2", "-c", "-W", "-m", "16", raw, at("disk.qcow2"))
	return []source{
		{"raw", raw, "raw"},
		{"streamOptimized", at("stream.vmdk"), "vmdk"},
		{"monolithicSparse", at("sparse.vmdk"), "vmdk"},
		{"vhdx", at("disk.vhdx"), "vhdx"},
		{"vhd", at("disk.vhd"), "vpc"},
		{"qcow2-zlib", at("disk.qcow2"), "qcow2"},
	}
}

// BenchmarkMatrix converts every kind of source to every kind of target, ours against qemu-img as it is, against qemu-img tuned
// (-W -m 16), and against a plain sparse copy of the same data.
func BenchmarkMatrix(b *testing.B) {
	qemu, err := exec.LookPath("qemu-img")
	if err != nil {
		b.Skip("SKIPPED: qemu-img is not installed: make test installs it")
	}
	hyperctl := filepath.Join(programs(b), "hyperctl")
	dir := b.TempDir()
	all := sources(b, dir, hyperctl, qemu)
	for _, s := range all {
		for _, t := range targets {
			b.Run(s.name+"/"+t.name, func(b *testing.B) {
				for range b.N {
					matrixRow(b, dir, hyperctl, qemu, all[0].path, s, t)
				}
			})
		}
	}
}

func matrixRow(b *testing.B, dir, hyperctl, qemu, raw string, s source, t target) {
	b.Helper()
	o, q := filepath.Join(dir, "ours.out"), filepath.Join(dir, "theirs.out")
	ours := func() run {
		os.Remove(o)
		return timed(b, hyperctl, append([]string{"-q", "image", "convert", s.path, o}, t.ours...)...)
	}
	theirs := func(more ...string) func() run {
		return func() run {
			os.Remove(q)
			args := append([]string{"convert", "-f", s.read}, more...)
			return synced(b, q, qemu, append(append(args, t.theirs...), s.path, q)...)
		}
	}
	plain, ourRuns, _ := pairs(ours, theirs())
	grown := float64(size(b, o)) / float64(size(b, q))
	tuned, _, _ := pairs(ours, theirs("-W", "-m", "16"))
	line := "%5.2f x qemu-img, %5.2f x tuned"
	args := []any{plain, tuned}
	if t.name == "raw" || t.name == "qcow2" {
		cp, _, _ := pairs(ours, func() run {
			os.Remove(q)
			return synced(b, q, "cp", "--sparse=always", raw, q)
		})
		line += ", %5.2f x cp"
		args = append(args, cp)
		b.ReportMetric(cp, "x-cp")
	}
	row(b, line+", %.2f s, size %+.1f %%, peak %d MB", append(args, wall(ourRuns), (grown-1)*100, peak(ourRuns)>>20)...)
	b.ReportMetric(plain, "x-qemu")
	b.ReportMetric(tuned, "x-tuned")
	b.ReportMetric(grown, "size-ratio")
	b.ReportMetric(float64(peak(ourRuns)>>20), "peak-MB")
}
