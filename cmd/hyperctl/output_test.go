package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"hyper2kvm/internal/queue"
)

// testConsole has a fixed clock and an environment of its own.
func testConsole(out io.Writer, env map[string]string) *console {
	now := time.Date(2026, 1, 24, 14, 2, 11, 0, time.UTC)
	return newConsole(strings.NewReader(""), out, io.Discard, func(k string) string { return env[k] }, func() time.Time { return now })
}

func sampleJobs(now time.Time) []queue.Job {
	return []queue.Job{
		{ID: "01A", JobID: "web01", Name: "web01.vmdk", State: queue.Running, StartedAt: new(now.Add(-12 * time.Minute)), Size: 40 << 30, Kind: "disk",
			Progress: &queue.Progress{Stage: "convert", StageIndex: 4, StageCount: 5, BytesDone: 74, BytesTotal: 100, BytesPerSec: 96e6, ETASeconds: 250}},
		{JobID: "evil", Name: "evil\x1b]0;x\x07\u202e.vmdk", State: queue.Waiting, Reason: "disk\nis missing", QueuedAt: new(now.Add(-2 * time.Minute))},
		{ID: "01B", JobID: "büro", Name: "büro-日本.vmdk", State: queue.Done, FinishedAt: new(now.Add(-62 * time.Minute)), OutputDir: "/out/2026-01-24/x"},
		{ID: "01C", JobID: "dc01", Name: "dc01.vhdx", State: queue.Failed, FinishedAt: new(now.Add(-40 * time.Minute)), Code: "H2K-SRC-004", Reason: "truncated"},
		{JobID: "web03", Name: "web03.vmdk", State: queue.Queued},
	}
}

func TestJobTable(t *testing.T) {
	const ascii = `STATE      NAME                              STAGE        PROGRESS     RATE    ETA    AGE
> running  web01.vmdk                        4/5 convert       74%  96 MB/s  4m10s  12m00s
~ waiting  evil\x1b]0;x\x07\u202e.vmdk       -                   -        -      -   2m00s
+ done     büro-日本.vmdk                    -                100%        -      -  1h02m
x failed   dc01.vhdx                         -                   -        -      -  40m00s
. queued   web03.vmdk                        -                   -        -      -      -
`
	var out bytes.Buffer
	con := testConsole(&out, nil)
	if err := printAll(con, jobsView(con), counted(all(sampleJobs(con.now())), new(int))); err != nil {
		t.Fatal(err)
	}
	squeeze := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	got, want := strings.Split(out.String(), "\n"), strings.Split(ascii, "\n")
	for i := range want {
		if i >= len(got) || squeeze(got[i]) != squeeze(want[i]) {
			t.Fatalf("got\n%s\nwant\n%s", out.String(), ascii)
		}
	}
	var widths []int
	for _, line := range got[:5] {
		widths = append(widths, width(line))
	}
	if slices.Min(widths) != slices.Max(widths) {
		t.Errorf("lines are %v columns wide:\n%s", widths, out.String())
	}
}

func TestNothingHostileReachesTheTerminal(t *testing.T) {
	for _, mode := range outputModes {
		for _, env := range []map[string]string{nil, {"LANG": "C.UTF-8"}} {
			var out bytes.Buffer
			con := testConsole(&out, env)
			con.opts.output = outputMode(mode)
			if err := printAll(con, jobsView(con), counted(all(sampleJobs(con.now())), new(int))); err != nil {
				t.Fatal(err)
			}
			if i := strings.IndexFunc(out.String(), func(r rune) bool {
				return r < 0x20 && r != '\n' && (r != '\t' || outputMode(mode) != outTSV) || hidden(r)
			}); i >= 0 {
				t.Errorf("-o %s prints %q", mode, out.String()[i:min(i+20, out.Len())])
			}
		}
	}
}

// TestEveryPrinterShowsTheSame holds the machine-readable forms against each other.
func TestEveryPrinterShowsTheSame(t *testing.T) {
	print := func(mode outputMode) []byte {
		var out bytes.Buffer
		con := testConsole(&out, nil)
		con.opts.output = mode
		if err := printAll(con, jobsView(con), counted(all(sampleJobs(con.now())), new(int))); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	var fromJSON, fromYAML, fromLines []map[string]any
	if err := json.Unmarshal(print(outJSON), &fromJSON); err != nil {
		t.Fatalf("%v in %s", err, print(outJSON))
	}
	for line := range bytes.Lines(print(outJSONL)) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		fromLines = append(fromLines, m)
	}
	if err := yaml.Unmarshal(print(outYAML), &fromYAML); err != nil {
		t.Fatalf("%v in %s", err, print(outYAML))
	}
	if len(fromJSON) != 5 || fmt.Sprint(fromJSON) != fmt.Sprint(fromLines) {
		t.Errorf("json and jsonl differ:\n%v\n%v", fromJSON, fromLines)
	}
	for i := range fromJSON {
		for _, key := range []string{"name", "state", "id", "reason", "stage", "percent"} {
			if fmt.Sprint(fromJSON[i][key]) != fmt.Sprint(fromYAML[i][key]) {
				t.Errorf("job %d: %s is %v in JSON and %v in YAML", i, key, fromJSON[i][key], fromYAML[i][key])
			}
		}
	}
	if got, want := string(print(outName)), "01A\nevil\\x1b]0;x\\x07\\u202e.vmdk\n01B\n01C\nweb03.vmdk\n"; got != want {
		t.Errorf("-o name prints %q, want %q", got, want)
	}
}

func TestEmptyAndBrokenLists(t *testing.T) {
	broken := errors.New("disk on fire")
	for mode, want := range map[outputMode][2]string{
		outTable: {"", ""}, outJSON: {"[]\n", "[\n{\"a\":1}\n]\n"}, outJSONL: {"", "{\"a\":1}\n"}, outYAML: {"[]\n", "- a: 1\n"}, outName: {"", "1\n"},
	} {
		v := view[int]{name: func(i int) string { return fmt.Sprint(i) }, doc: func(i int) any { return map[string]int{"a": i} }}
		var out bytes.Buffer
		con := testConsole(&out, nil)
		con.opts.output = mode
		if err := printAll(con, v, all[int](nil)); err != nil || out.String() != want[0] {
			t.Errorf("-o %s of nothing: %q, %v; want %q", mode, out.String(), err, want[0])
		}
		out.Reset()
		err := printAll(con, v, func(yield func(int, error) bool) { _ = yield(1, nil) && yield(0, broken) })
		if !errors.Is(err, broken) {
			t.Errorf("-o %s: error %v, want %v", mode, err, broken)
		}
		if mode != outTable && out.String() != want[1] {
			t.Errorf("-o %s of a list that breaks off: %q, want %q", mode, out.String(), want[1])
		}
	}
}

func TestFields(t *testing.T) {
	var out bytes.Buffer
	con := testConsole(&out, nil)
	con.opts.output, con.opts.fields = outJSONL, []string{"state", "percent"}
	if err := printAll(con, jobsView(con), counted(all(sampleJobs(con.now())[:2]), new(int))); err != nil {
		t.Fatal(err)
	}
	want := `{"state":"running","percent":74}` + "\n" + `{"state":"waiting","percent":null}` + "\n"
	if out.String() != want {
		t.Errorf("got %s want %s", out.String(), want)
	}
	con.opts.fields = []string{"state", "nosuch"}
	err := printAll(con, jobsView(con), counted(all(sampleJobs(con.now())[:2]), new(int)))
	if f := explainError(err); f.exit != exitUsage || !strings.Contains(f.what, "eta_seconds") {
		t.Errorf("a field that is none: %v", err)
	}
}

func TestColor(t *testing.T) {
	tests := []struct {
		mode colorMode
		env  map[string]string
		tty  bool
		want bool
	}{
		{colorAuto, nil, false, false},
		{colorAuto, nil, true, true},
		{colorAuto, map[string]string{"NO_COLOR": "1"}, true, false},
		{colorAuto, map[string]string{"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, true, false},
		{colorAuto, map[string]string{"CLICOLOR_FORCE": "1"}, false, true},
		{colorAuto, map[string]string{"CLICOLOR_FORCE": "0"}, false, false},
		{colorAuto, map[string]string{"CLICOLOR": "0"}, true, false},
		{colorAuto, map[string]string{"TERM": "dumb"}, true, false},
		{colorAlways, map[string]string{"NO_COLOR": "1"}, false, true},
		{colorNever, map[string]string{"CLICOLOR_FORCE": "1"}, true, false},
	}
	for _, tt := range tests {
		if got := wantColor(tt.mode, tt.tty, func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("wantColor(%s, %v, %v) = %v", tt.mode, tt.tty, tt.env, got)
		}
	}
}

// manyJobs yields n queued jobs without keeping any.
func manyJobs(n int, at time.Time) iter.Seq2[queue.Job, error] {
	return func(yield func(queue.Job, error) bool) {
		for i := range n {
			name := fmt.Sprintf("vm-%06d.vmdk", i)
			if !yield(queue.Job{JobID: name[:9], Name: name, State: queue.Queued, Path: "/w/to_be_processed/" + name, QueuedAt: &at}, nil) {
				return
			}
		}
	}
}

// TestLongListStreams holds the memory of a list of 100,000 jobs to what a few hundred need.
func TestLongListStreams(t *testing.T) {
	con := testConsole(io.Discard, nil)
	var before, after runtime.MemStats
	peak := uint64(0)
	rows := func(yield func(queue.Job, error) bool) {
		i := 0
		for j, err := range manyJobs(100_000, con.now()) {
			if i++; i%20_000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&after)
				peak = max(peak, after.HeapAlloc)
			}
			if !yield(j, err) {
				return
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&before)
	if err := printAll(con, jobsView(con), counted(rows, new(int))); err != nil {
		t.Fatal(err)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 4<<20 {
		t.Errorf("the heap grew by %s while a list was printed", bytesText(grown))
	}
}

func BenchmarkList100k(b *testing.B) {
	for _, mode := range []outputMode{outTable, outJSON, outName} {
		b.Run(string(mode), func(b *testing.B) {
			con := testConsole(io.Discard, nil)
			con.opts.output = mode
			for b.Loop() {
				if err := printAll(con, jobsView(con), counted(manyJobs(100_000, con.now()), new(int))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestHintNamesTheJob(t *testing.T) {
	for _, c := range [][2]string{
		{"Copy it again, then: hyperctl workflow retry JOB", "Copy it again, then: hyperctl workflow retry 01A"},
		{"hyperctl workflow show JOB -o wide", "hyperctl workflow show 01A -o wide"},
		{"Look at hyperctl workflow log JOB. Then: hyperctl workflow retry JOB.", "Look at hyperctl workflow log 01A. Then: hyperctl workflow retry 01A."},
		{"check it first: hyperctl manifest validate FILE", "check it first: hyperctl manifest validate '/w/failed/my vm.yaml'"},
		{"H2K-JOB-001 is told by the JOBS", "H2K-JOB-001 is told by the JOBS"},
		{"", ""},
	} {
		if got := hintOf(queue.Job{ID: "01A", Kind: "manifest", Path: "/w/failed/my vm.yaml", Hint: c[0]}); got != c[1] {
			t.Errorf("%q became %q, want %q", c[0], got, c[1])
		}
	}
}

func TestDocumentsThatComeOneByOne(t *testing.T) {
	for mode, want := range map[outputMode]string{
		outJSON: `{"line":"a: \u202eb"}` + "\n", outJSONL: `{"line":"a: \u202eb"}` + "\n", outYAML: "---\n" + `line: "a: \u202eb"` + "\n",
	} {
		con := testConsole(io.Discard, nil)
		con.opts.output = mode
		b, err := con.encodeOne(logDoc{Line: "a: \u202eb"})
		if err != nil || string(b) != want {
			t.Errorf("-o %s: %q, %v, want %q", mode, b, err, want)
		}
	}
}

func TestSizeOfAManifestSaysNothing(t *testing.T) {
	for _, c := range []struct {
		job  queue.Job
		want string
	}{
		{queue.Job{Size: 71, Kind: "manifest"}, ""},
		{queue.Job{Size: 71, Kind: "disk"}, "71 B"},
		{queue.Job{Size: 1 << 30}, "1.00 GiB"},
		{queue.Job{Kind: "disk"}, ""},
	} {
		if got := sizeText(c.job); got != c.want {
			t.Errorf("%+v: %q, want %q", c.job, got, c.want)
		}
	}
}
