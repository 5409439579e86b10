package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"pgregory.net/rapid"

	"hyper2kvm/internal/doctor"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// TestTSVIsStable holds the columns of the list of jobs: new ones may come, at their place, but none goes.
func TestTSVIsStable(t *testing.T) {
	var out bytes.Buffer
	con := testConsole(&out, nil)
	con.opts.output = outTSV
	if err := printAll(con, jobsView(con), counted(all(sampleJobs(con.now())), new(int))); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	const head = "id\tjob_id\tname\toriginal_name\tkind\tstate\treason\tpath\tsize\tdate\tqueued_at\tstarted_at\tfinished_at\toutput_dir\tcode\thint\twarnings\tsubmitter_uid\tpriority\tlog\tstage\tpercent\tbytes_per_second\teta_seconds\tage_seconds"
	if lines[0] != head {
		t.Errorf("the columns are\n%s\nwant\n%s", lines[0], head)
	}
	if len(lines) != 6 {
		t.Fatalf("%d lines of 5 jobs:\n%s", len(lines), out.String())
	}
	for _, line := range lines[1:] {
		if strings.Count(line, "\t") != strings.Count(head, "\t") {
			t.Errorf("another number of values than columns: %q", line)
		}
	}
	if !strings.HasPrefix(lines[1], "01A\tweb01\tweb01.vmdk\t\tdisk\trunning\t") || !strings.HasSuffix(lines[1], "\t50\t\tconvert\t74\t96000000\t250\t720") {
		t.Errorf("a running job is %q", lines[1])
	}
	if !strings.Contains(lines[2], "\tevil\\x1b]0;x\\x07\\u202e.vmdk\t") || !strings.Contains(lines[2], `disk\nis missing`) {
		t.Errorf("a hostile name is %q", lines[2])
	}
}

func TestTSVOfNothingAndOfChosenFields(t *testing.T) {
	for _, tt := range []struct {
		fields    []string
		noHeaders bool
		rows      int
		want      string
	}{
		{[]string{"state", "name"}, false, 0, "state\tname\n"},
		{[]string{"state", "name"}, true, 0, ""},
		{[]string{"state", "progress", "name"}, true, 1, "running\t{\"schema\":0,"},
		{[]string{"percent", "state"}, false, 2, "percent\tstate\n74\trunning\n\twaiting\n"},
	} {
		var out bytes.Buffer
		con := testConsole(&out, nil)
		con.opts.output, con.opts.fields, con.opts.noHeaders = outTSV, tt.fields, tt.noHeaders
		if err := printAll(con, jobsView(con), counted(all(sampleJobs(con.now())[:tt.rows]), new(int))); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != tt.want && (tt.rows != 1 || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%v of %d jobs: %q, want %q", tt.fields, tt.rows, got, tt.want)
		}
	}
	con := testConsole(io.Discard, nil)
	con.opts.output, con.opts.fields = outTSV, []string{"nosuch"}
	if err := printAll(con, jobsView(con), counted(all(sampleJobs(con.now())[:0]), new(int))); explainError(err).exit != exitUsage {
		t.Errorf("a field that is none: %v", err)
	}
}

// TestTSVKeepsEveryText reads a value back, whatever is in it, as the help tells a reader to do.
func TestTSVKeepsEveryText(t *testing.T) {
	back := strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r")
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab \\tnr\t\n\r\"<&é日"))).Draw(t, "text")
		con := testConsole(io.Discard, nil)
		con.opts.output, con.opts.noHeaders = outTSV, true
		b, err := con.encodeOne(logDoc{Line: text})
		if err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(string(b), "\n")
		if strings.ContainsAny(line, "\t\n\r") || back.Replace(line) != text {
			t.Fatalf("%q is written as %q", text, line)
		}
	})
}

const columnsFile = "testdata/tsv-columns.txt"

// TestColumnsStay holds the columns of every document: none goes and none moves, for scripts count them; a new one comes last. Each is named
// once, before the first line.
func TestColumnsStay(t *testing.T) {
	var got strings.Builder
	for _, doc := range []any{
		statusDoc{}, jobDoc{}, queue.Held{}, watchEvent{}, logDoc{}, answerDoc{}, pingDoc{}, versionDoc{}, codeDoc{}, settingDoc{}, bundleDoc{}, submitted{},
		inspectDoc{}, planDoc{}, dryRunDoc{}, imageDoc{}, checkDoc{}, extentDoc{}, convertDoc{}, differenceDoc{}, doctor.Finding{}, manifest.Problem{}, manifest.Field{},
	} {
		con := testConsole(io.Discard, nil)
		con.opts.output = outTSV
		first, err := con.encodeOne(doc)
		if err != nil || bytes.Count(first, []byte("\n")) != 2 {
			t.Errorf("%T: %q, %v", doc, first, err)
		}
		again, err := con.encodeOne(doc)
		if err != nil || bytes.Count(again, []byte("\n")) != 1 {
			t.Errorf("%T, the second time: %q, %v", doc, again, err)
		}
		head, _, _ := strings.Cut(string(first), "\n")
		fmt.Fprintf(&got, "%T: %s\n", doc, strings.ReplaceAll(head, "\t", " "))
		known := fieldsOf(reflect.TypeOf(tsvRow(doc)))
		for name := range strings.SplitSeq(head, "\t") {
			if !slices.Contains(known, name) {
				t.Errorf("%T has a column %q, and no such field", doc, name)
			}
		}
	}
	if *update {
		if err := os.WriteFile(columnsFile, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(columnsFile)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the columns are\n%s\nwant those of %s\n%s", got.String(), columnsFile, want)
	}
}

// TestFieldsAreKnown holds the fields that --json lists to what a document has in JSON.
func TestFieldsAreKnown(t *testing.T) {
	root := newRoot(testConsole(io.Discard, nil), func() {})
	seen := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if fields := documentedFields(c); len(fields) > 0 {
			seen++
		} else if c.Runnable() && !c.HasSubCommands() && !c.Hidden && c.Annotations == nil {
			switch c.Name() {
			case "generate", "create", "schema", "serve", "help", "bash", "zsh", "fish", "powershell": // they print manifests, and no documents
			default:
				t.Errorf("%s does not say which fields it has", c.CommandPath())
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	if seen < 25 {
		t.Errorf("only %d commands have fields", seen)
	}
	b, err := json.Marshal(newJobDoc(sampleJobs(time.Now())[0], time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	known := fieldsOf(reflect.TypeFor[jobDoc]())
	for name := range m {
		if !strings.Contains(","+strings.Join(known, ",")+",", ","+name+",") {
			t.Errorf("field %q is not listed", name)
		}
	}
}
