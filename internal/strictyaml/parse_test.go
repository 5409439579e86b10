package strictyaml_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	sy "hyper2kvm/internal/strictyaml"
)

// line prints a fault as line:column-end reason path: message (hint).
func line(f sy.Fault) string {
	s := fmt.Sprintf("%d:%d-%d %d %s: %s", f.Pos.Line, f.Pos.Column, f.Pos.EndColumn, f.Reason, f.Path, f.Message)
	if f.Hint != "" {
		s += " (" + f.Hint + ")"
	}
	return s
}

func TestFaults(t *testing.T) {
	quotesHint := "put a text that holds a colon in quotes; check the indentation of this line and the one above"
	tests := []struct{ name, text, want string }{
		{"a.yaml", "", "0:0-0 1 : the file is empty"},
		{"a.yaml", " \n\t\n", "0:0-0 1 : the file is empty"},
		{"a.yaml", "# only\n", "0:0-0 1 : the file has nothing but comments"},
		{"a.yaml", "a: b\n  c: d\n", `2:4-5 1 : a ":" cannot stand here (` + quotesHint + ")"},
		{"a.yaml", "a: b: c\n", `1:5-6 1 : a ":" cannot stand here (` + quotesHint + ")"},
		{"a.yaml", "a: b\n\tc: d\n", "2:1-2 1 : a tab is used for indentation (use spaces)"},
		{"a.yaml", "a: %x\n", `1:4-5 1 : a value cannot begin with "%" (put the text in quotes)`},
		{"a.yaml", "a: 'x\n", "1:6-7 1 : the file ends inside a text in quotes (close the quotes)"},
		{"a.yaml", `a: "x\q"` + "\n", `1:5-6 1 : the text holds an unknown escape (write \\ for a backslash, or use single quotes)`},
		{"a.yaml", "a: b\nc\n", `2:2-3 1 : the line has no ":" after its key (write key: value)`},
		{"a.yaml", "a: *x\n", "1:4-6 1 : YAML aliases are not read (write the value out)"},
		{"a.yaml", "a: &x b\nc: *x\n", "1:4-5 1 a: YAML anchors (&x) are not read (remove it and write the value out where it is needed)\n" +
			"2:4-5 1 c: YAML aliases (*x) are not read (write the value out)"},
		{"a.yaml", "<<: {b: c}\n", "1:1-3 1 : YAML merge keys (<<) are not read (write the keys out)"},
		{"a.yaml", "a: !!binary aGk=\n", "1:4-5 1 a: YAML tags (!!binary) are not read (remove the tag; quotes make a text)"},
		{"a.yaml", "? [a]\n: b\n", "1:3-4 1 : a key must be a text"},
		{"a.yaml", "a: 1\n---\nb: 2\n", "2:1-2 1 : a second document begins here; one file is one document (put several VMs under jobs: or vms:)"},
		{"a.yaml", "a: 1\nb:\n  c: 1\n  c: 2\na: 2\n", "4:3-4 5 b: the key \"c\" stands twice, first in line 3\n5:1-2 5 : the key \"a\" stands twice, first in line 1"},
		{"a.yaml", "\xEF\xBB\xBFa: 1\n", "1:1-2 8 : the file begins with a byte order mark (save it as UTF-8 without a byte order mark)"},
		{"a.yaml", "\xFF\xFEa\x00", "1:1-2 8 : the file is UTF-16 text (save it as UTF-8 without a byte order mark)"},
		{"a.yaml", "a\x00:\x00 \x00", "1:1-2 8 : the file looks like UTF-16 text (save it as UTF-8 without a byte order mark)"},
		{"a.yaml", "a: b\nc: \x00\n", "2:4-5 8 : the file holds a NUL byte: it is not text"},
		{"a.yaml", "a: \x1b[2J\n", "1:4-5 8 : the file holds the control character U+001B"},
		{"a.yaml", "ä: \xff\n", "1:4-5 8 : the byte 0xff is not UTF-8 text (save it as UTF-8 without a byte order mark)"},
		{"a.yaml", "a: x\u2028y\n", "1:5-6 8 : the file holds the invisible character U+2028"},
		{"a.yaml", strings.Repeat("[", 30) + strings.Repeat("]", 30), "1:25-26 6 : values stand more than 24 levels deep in one another"},
		{"a.yaml", "a: " + strings.Repeat("x", 5000), "1:4-5004 6 a: the text has 5000 bytes; 4096 are allowed"},
		{"a.json", `{"a":1,}`, `1:8-9 1 : JSON has no comma after the last entry (remove the comma)`},
		{"a.json", "{\n  \"a\": 1 \"b\": 2}", `2:10-11 1 : entries are separated by a comma, found "\""`},
		{"a.json", `{"a" 1}`, `1:6-7 1 : a key and its value are separated by a colon, found "1"`},
		{"a.json", `{'a':1}`, "1:2-3 1 : JSON has its texts in double quotes"},
		{"a.json", `{"a":1 // b`, "1:8-9 1 : JSON has no comments (a .yaml file may have comments)"},
		{"a.json", `{"a":[1,2}`, `1:10-11 1 : entries are separated by a comma, found "}"`},
		{"a.json", `{"a":"b"`, "1:8-9 1 : the JSON text ends too early: a closing }, ] or quote is missing"},
		{"a.json", `a: b`, "1:1-2 1 : the file is not JSON (YAML belongs in a file that ends in .yaml)"},
		{"a.json", `{"a":1} {}`, "1:9-10 1 : there is more text after the end of the JSON document"},
		{"a.json", `{"a":nul}`, `1:9-10 1 : JSON cannot have "}" here`},
		{"a.json", "{\"ä\":1,\n \"ä\":2}", "2:2-5 5 : the key \"ä\" stands twice, first in line 1"},
		{"a.json", `{"a":` + strings.Repeat("[", 20000), "1:10005-10006 6 : values stand more than 24 levels deep in one another"},
		{"stdin", `{"a":1,"a":2}`, "1:8-11 5 : the key \"a\" stands twice, first in line 1"},
		{"stdin", "a: 1\na: 2", "2:1-2 5 : the key \"a\" stands twice, first in line 1"},
	}
	for _, tt := range tests {
		_, faults := sy.Parse(tt.name, []byte(tt.text))
		var got []string
		for _, f := range faults {
			got = append(got, line(f))
		}
		if g := strings.Join(got, "\n"); g != tt.want {
			t.Errorf("%s %.60q:\ngot  %s\nwant %s", tt.name, tt.text, g, tt.want)
		}
	}
}

func TestLimits(t *testing.T) {
	_, faults := sy.Parse("a.yaml", bytes.Repeat([]byte("#"), sy.MaxBytes+1))
	if len(faults) != 1 || faults[0].Reason != sy.Limit {
		t.Errorf("too large: %v", faults)
	}
	root, faults := sy.Parse("a.yaml", []byte("["+strings.Repeat("1,", sy.MaxNodes)+"]"))
	if root != nil || len(faults) != 1 || faults[0].Message != "the file has more than 100000 values" {
		t.Errorf("too many values: %v %v", root, faults)
	}
	var many strings.Builder
	for i := range 500 {
		fmt.Fprintf(&many, "a%d: !t x\n", i)
	}
	_, faults = sy.Parse("a.yaml", []byte(many.String()))
	if len(faults) != sy.MaxFaults+1 || faults[sy.MaxFaults].Message != "400 more faults are not shown" {
		t.Errorf("too many faults: %d, last %v", len(faults), faults[len(faults)-1])
	}
}

// TestHostileTexts measures that no text of the allowed size keeps the reader busy.
func TestHostileTexts(t *testing.T) {
	const limit = 10 * time.Second // a hundred times what each takes: only quadratic behaviour gets there
	for name, piece := range map[string]string{
		"comments": "#\n", "dashes": "- ", "flow": "[", "flow maps": "{a: ", "keys": "a: 1\n", "quotes": "''\n", "questions": "? ", "anchors": "&a ",
		"blanks": " ", "blank lines": "\n", "long key": "a", "commas": "[a,", "literals": "|\n", "colons": ": ", "tags": "!a ", "percent": "%a\n", "documents": "---\n",
		"comment items": "- a #b\n", "crs": "\r", "unicode": "é", "aliases": "*a ", "indents": "a:\n ",
	} {
		text := []byte(strings.Repeat(piece, sy.MaxBytes/len(piece)))
		for _, prefix := range []string{"", "a: "} {
			start := time.Now()
			if _, faults := sy.Parse("a.yaml", append([]byte(prefix), text[:len(text)-len(prefix)]...)); time.Since(start) > limit {
				t.Errorf("%q, %s took %s: %v", prefix, name, time.Since(start), faults)
			} else if d := time.Since(start); d > time.Second {
				t.Logf("%q, %s took %s", prefix, name, d)
			}
		}
	}
}

// TestHostileJSON is the same for JSON on one line.
func TestHostileJSON(t *testing.T) {
	for name, text := range map[string]string{
		"numbers": "[" + strings.Repeat("1,", sy.MaxBytes/2-2) + "1]", "keys": `{"a":1` + strings.Repeat(`,"aa":1`, sy.MaxBytes/8) + "}",
		"nested": strings.Repeat(`{"a":`, sy.MaxBytes/5-1), "texts": "[" + strings.Repeat(`"é",`, sy.MaxBytes/6) + "1]",
	} {
		start := time.Now()
		if _, faults := sy.Parse("a.json", []byte(text)); time.Since(start) > 10*time.Second || len(faults) == 0 {
			t.Errorf("%s took %s: %v", name, time.Since(start), faults)
		}
	}
}

func TestScalars(t *testing.T) {
	tests := []struct {
		text string
		kind sy.Kind
	}{
		{"true", sy.Bool}, {"False", sy.Bool}, {"yes", sy.Text}, {"off", sy.Text}, {"12", sy.Int}, {"-3", sy.Int}, {"0x10", sy.Int}, {"1.0", sy.Float},
		{"1e3", sy.Float}, {"~", sy.Null}, {"null", sy.Null}, {"", sy.Null}, {"2026-01-21", sy.Text}, {`"12"`, sy.Text}, {"'true'", sy.Text}, {"a b", sy.Text},
		{"|\n  x\n", sy.Text}, {"[]", sy.List}, {"{}", sy.Map},
	}
	for _, tt := range tests {
		n, faults := sy.Parse("a.yaml", []byte("k: "+tt.text+"\n"))
		if len(faults) > 0 || n.Get("k").Kind != tt.kind {
			t.Errorf("%q: kind %d, want %d (%v)", tt.text, n.Get("k").Kind, tt.kind, faults)
		}
	}
	for text, want := range map[string]bool{"0": true, "12": true, "-1": true, "010": false, "0o7": false, "0x1": false, "1_000": false, "99999999999999999999": false} {
		n, _ := sy.Parse("a.yaml", []byte("k: "+text))
		if got := n.Get("k").Int() != nil; got != want {
			t.Errorf("%s is a whole number: %v, want %v", text, got, want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	doc := []byte("a: 1\n\tb:\x1b \"x\"\n" + strings.Repeat("y", 300) + "\n")
	tests := []struct {
		pos  sy.Pos
		want string
	}{
		{sy.Pos{Line: 1, Column: 4, EndColumn: 5}, "    1 | a: 1\n      |    ^\n"},
		{sy.Pos{Line: 2, Column: 6, EndColumn: 9}, "    2 |  b:? \"x\"\n      |      ^~~\n"},
		{sy.Pos{}, ""},
		{sy.Pos{Line: 99, Column: 1, EndColumn: 2}, ""},
		{sy.Pos{Line: 3, Column: 200, EndColumn: 203}, "    3 | " + strings.Repeat("y", 70) + "\n      | " + strings.Repeat(" ", 30) + "^~~\n"},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		if err := sy.Excerpt(&b, doc, tt.pos); err != nil || b.String() != tt.want {
			t.Errorf("%v:\n%s\nwant\n%s", tt.pos, b.String(), tt.want)
		}
	}
}

// genNode makes a tree of values that both languages can write.
func genNode(t *rapid.T, depth int) *sy.Node {
	word := rapid.StringMatching(`[a-zA-Z0-9 ./:#'"\\~é-]{0,12}`)
	kinds := []sy.Kind{sy.Text, sy.Bool, sy.Int, sy.Null}
	if depth > 0 {
		kinds = append(kinds, sy.Map, sy.List)
	}
	switch k := rapid.SampledFrom(kinds).Draw(t, "kind"); k {
	case sy.Map:
		m := sy.NewMap()
		for _, key := range rapid.SliceOfNDistinct(word, 0, 4, rapid.ID[string]).Draw(t, "keys") {
			m.Entries = append(m.Entries, sy.Entry{Key: key, Value: genNode(t, depth-1)})
		}
		return m
	case sy.List:
		l := sy.NewList()
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			l.Items = append(l.Items, genNode(t, depth-1))
		}
		return l
	case sy.Bool:
		return sy.NewBool(rapid.Bool().Draw(t, "bool"))
	case sy.Int:
		return &sy.Node{Kind: sy.Int, Value: fmt.Sprint(rapid.Int64().Draw(t, "int"))}
	case sy.Null:
		return &sy.Node{Kind: sy.Null, Value: "null"}
	default:
		return sy.NewText(word.Draw(t, "text"))
	}
}

// same compares two trees without their places.
func same(a, b *sy.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Entries) != len(b.Entries) || len(a.Items) != len(b.Items) {
		return false
	}
	for i := range a.Entries {
		if a.Entries[i].Key != b.Entries[i].Key || !same(a.Entries[i].Value, b.Entries[i].Value) {
			return false
		}
	}
	for i := range a.Items {
		if !same(a.Items[i], b.Items[i]) {
			return false
		}
	}
	return true
}

// TestRoundTrip writes trees as JSON and as YAML and reads them back as they were.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := sy.NewMap(sy.Entry{Key: "k", Value: genNode(t, 3)})
		got, faults := sy.Parse("a.json", n.JSON())
		if len(faults) > 0 || !same(got, n) {
			t.Fatalf("JSON %s: %v", n.JSON(), faults)
		}
		text, err := n.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if got, faults = sy.Parse("a.yaml", text); len(faults) > 0 || !same(got, n) {
			t.Fatalf("YAML %s: %v", text, faults)
		}
	})
}

func TestNearest(t *testing.T) {
	words := []string{"input", "output_format", "compress", "fstab_mode", "initramfs", "vm"}
	for s, want := range map[string]string{
		"imput": "input", "Input": "input", "inptu": "input", "initramf": "initramfs", "compres": "compress", "fstab-mode": "fstab_mode",
		"outputformat": "output_format", "vmx": "vm", "zzz": "", "x": "", strings.Repeat("a", 1000): "",
	} {
		if got := sy.Nearest(s, words); got != want {
			t.Errorf("%.20q: got %q, want %q", s, got, want)
		}
	}
}

// TestPlaces checks places on one line with characters of several bytes, asked for in and out of order.
func TestPlaces(t *testing.T) {
	for name, text := range map[string]string{"a.json": `{"é": ["ü", {"ö": 1}], "b": 2}`, "a.yaml": `{"é": ["ü", {"ö": 1}], "b": 2}`} {
		n, faults := sy.Parse(name, []byte(text))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		got := fmt.Sprint(n.Get("é").Items[0].Pos, n.Get("é").Items[1].Get("ö").KeyPos, n.Get("é").Items[1].Get("ö").Pos, n.Get("b").KeyPos, n.Get("b").Pos)
		if want := "{1 8 11} {1 14 17} {1 19 20} {1 24 27} {1 29 30}"; got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}
