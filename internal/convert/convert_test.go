package convert

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/manifest"
)

// recorder is the Events of a test. It proves that calls come one at a time.
type recorder struct {
	mu       sync.Mutex
	stages   []string
	progress map[string][2]int64 // the last word of each stage
	warnings []manifest.Warning
	logs     []string
	onStage  func(name, status string)
	onMove   func(stage string, done, total int64)
}

func (r *recorder) enter() func() {
	if !r.mu.TryLock() {
		panic("two events at once")
	}
	return r.mu.Unlock
}

func (r *recorder) Stage(name string, index, count int, status, reason string, _ time.Duration) {
	defer r.enter()()
	r.stages = append(r.stages, fmt.Sprintf("%d/%d %s %s", index, count, name, status))
	if r.onStage != nil {
		r.onStage(name, status)
	}
}

func (r *recorder) Progress(stage string, done, total int64) {
	defer r.enter()()
	if r.progress == nil {
		r.progress = map[string][2]int64{}
	}
	if was := r.progress[stage]; done < was[0] || done > total {
		panic(fmt.Sprintf("progress of %s goes from %v to %d of %d", stage, was, done, total))
	}
	r.progress[stage] = [2]int64{done, total}
	if r.onMove != nil {
		r.onMove(stage, done, total)
	}
}

func (r *recorder) Log(_, message string) { defer r.enter()(); r.logs = append(r.logs, message) }

func (r *recorder) Warning(w manifest.Warning) { defer r.enter()(); r.warnings = append(r.warnings, w) }

// testHost is the Host of a test.
type testHost struct {
	dir      string
	reserved []SpaceNeed
	placed   []string
	reserve  error
}

func (h *testHost) Reserve(_ context.Context, needs []SpaceNeed) error {
	h.reserved = append(h.reserved, needs...)
	return h.reserve
}

func (h *testHost) Admit(context.Context, int) (Admission, error) {
	return Admission{Release: func() {}}, nil
}

func (h *testHost) Place(_ context.Context, vm string) (string, error) {
	h.placed = append(h.placed, vm)
	return filepath.Join(h.dir, vm), nil
}

// bench is one run under test: a source directory, a partial directory, a host.
type bench struct {
	t       *testing.T
	dir     string
	req     Request
	events  *recorder
	host    *testHost
	options Options
}

// newBench returns a run of the files in a fresh directory; the job's files are the ones that exist when run is called.
func newBench(t *testing.T) *bench {
	t.Helper()
	job := testJob()
	return &bench{
		t: t, dir: t.TempDir(), events: &recorder{}, host: &testHost{dir: "/srv/out"}, options: Options{Workers: 2, Guests: noGuests{}},
		req: Request{ID: "id-1", JobID: "web01", Job: job, Partial: t.TempDir(), Version: "test"},
	}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, filepath.FromSlash(name)) }

func (b *bench) write(name string, content []byte) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), content, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// image writes an image with that content.
func (b *bench) image(name, format string, content []byte) {
	b.t.Helper()
	b.write(name, encodeImage(b.t, format, content))
}

func encodeImage(t *testing.T, format string, content []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := formats.Create(format, f, int64(len(content)), formats.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Copy(t.Context(), w, memoryImage{bytes.NewReader(content)}, disk.Options{}); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// memoryImage is content in memory as an image, all of it data.
type memoryImage struct{ *bytes.Reader }

func (m memoryImage) Extent(_ context.Context, off int64) (disk.Extent, error) {
	return disk.Extent{Off: off, Len: m.Size() - off, Kind: disk.Data}, nil
}
func (m memoryImage) Close() error { return nil }

// files fills Request.Files with what stands in the source directory.
func (b *bench) files() {
	b.req.Files = map[string]string{}
	err := filepath.WalkDir(b.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(b.dir, path)
			b.req.Files[filepath.ToSlash(rel)] = path
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// run executes the job and checks what holds for every run: five stages in the report, the sources untouched.
func (b *bench) run(ctx context.Context) (manifest.Report, error) {
	b.t.Helper()
	if b.req.Files == nil {
		b.files()
	}
	before := b.fingerprint()
	report, err := Execute(ctx, b.req, b.events, b.host, b.options)
	if after := b.fingerprint(); !maps.Equal(before, after) {
		b.t.Errorf("the sources changed:\n%v\n%v", before, after)
	}
	var names []string
	for _, s := range report.Stages {
		names = append(names, s.Name)
		if s.Status == manifest.StageSkipped && s.Reason == "" {
			b.t.Errorf("stage %s is skipped without a reason", s.Name)
		}
	}
	if !slices.Equal(names, StageNames()) {
		b.t.Errorf("the report has the stages %v", names)
	}
	if (err != nil) != (report.Error != nil) || (err != nil) != (report.Status == statusFailed) {
		b.t.Errorf("error %v, report says %s with %+v", err, report.Status, report.Error)
	}
	return report, err
}

func (b *bench) fingerprint() map[string]string {
	b.t.Helper()
	sums := map[string]string{}
	for name, path := range b.req.Files {
		content, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			b.t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		sums[name] = fmt.Sprint(hex.EncodeToString(sum[:]), st.ModTime(), st.Mode())
	}
	return sums
}

// good runs the job and wants success.
func (b *bench) good() manifest.Report {
	b.t.Helper()
	report, err := b.run(b.t.Context())
	if err != nil {
		b.t.Fatalf("%v\n%+v", err, report.Error)
	}
	return report
}

// bad runs the job and wants that code, in that stage, with that text.
func (b *bench) bad(stage, code, text string) manifest.Report {
	b.t.Helper()
	report, err := b.run(b.t.Context())
	if err == nil {
		b.t.Fatalf("no error, want %s", code)
	}
	f := report.Error
	if f.Code != code || f.Stage != stage || !strings.Contains(f.Message, text) {
		b.t.Fatalf("got %s in %s: %s; want %s in %s with %q", f.Code, f.Stage, f.Message, code, stage, text)
	}
	if again, ok := errors.AsType[*CodedError](err); !ok || again.Code != code {
		b.t.Errorf("Execute returned %v", err)
	}
	return report
}

// content reads an output back.
func (b *bench) content(name, format string) []byte {
	b.t.Helper()
	img, err := formats.OpenPath(b.t.Context(), filepath.Join(b.req.Partial, name), formats.OpenOptions{Format: format})
	if err != nil {
		b.t.Fatal(err)
	}
	defer img.Close()
	content := make([]byte, img.Size())
	if n, err := img.ReadAt(content, 0); n < len(content) {
		b.t.Fatal(err)
	}
	return content
}

// sample is content of that size that compresses neither to nothing nor not at all, with holes.
func sample(size int, seed byte) []byte {
	b := make([]byte, size)
	for i := 0; i < len(b); i += 3 << 16 {
		for j := i; j < min(i+1<<16, len(b)); j++ {
			b[j] = byte(j>>8)*seed + byte(j&3)
		}
	}
	return b
}
