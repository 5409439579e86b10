package manifest_test

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/manifest"
)

// bare removes what tells two Drafts of the same VM apart: the file they stand in.
func bare(d manifest.Draft) manifest.Draft {
	d.File, d.Line = "", 0
	return d
}

// checkParts verifies that every part of a manifest is a manifest of its own that says the same.
func checkParts(name string, b []byte) error {
	drafts, problems := manifest.Load(name, b)
	parts, again := manifest.Split(name, b)
	if !reflect.DeepEqual(problems, again) || len(parts) != len(drafts) {
		return fmt.Errorf("%d drafts, %d parts; Load says %v, Split says %v", len(drafts), len(parts), problems, again)
	}
	names := map[string]bool{}
	for i, p := range parts {
		if names[p.Name] || path.Ext(p.Name) != ".json" || path.Base(p.Name) != p.Name || len(p.Name) > 255 {
			return fmt.Errorf("part %d has the name %q", i, p.Name)
		}
		for _, record := range []string{".meta.json", ".error.json", ".report.json"} {
			if strings.HasSuffix(p.Name, record) {
				return fmt.Errorf("part %d looks like a record of the queue: %q", i, p.Name)
			}
		}
		names[p.Name] = true
		loaded, problems := manifest.Load(p.Name, p.Content)
		if len(loaded) != 1 || !reflect.DeepEqual(bare(loaded[0]), bare(drafts[i])) {
			return fmt.Errorf("part %q\n%s\nloads as %+v (%v)\nwant %+v", p.Name, p.Content, loaded, problems, drafts[i])
		}
		if !reflect.DeepEqual(p.Inputs, drafts[i].Inputs()) {
			return fmt.Errorf("part %q names %v, want %v", p.Name, p.Inputs, drafts[i].Inputs())
		}
	}
	return nil
}

func TestSplitExamples(t *testing.T) {
	for name, b := range examples(t) {
		if err := checkParts(name, b); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSplitNames(t *testing.T) {
	parts, problems := manifest.Split("b.yaml", []byte("jobs:\n- input: /a/web.vmdk\n- input: /b/web.vmdk\n- input: /c/WEB.vmdk\n- {input: d, name: x.meta}\n- input: odd.json\n"))
	var got []string
	for _, p := range parts {
		got = append(got, p.Name)
	}
	if want := "web.json web-2.json WEB-3.json x_meta.json odd-2.json"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s (%v)", got, want, problems)
	}
}

// TestSplitBomb: keys that hold for a thousand VMs are not multiplied without bound.
func TestSplitBomb(t *testing.T) {
	text := "x-fill: [" + strings.Repeat("'"+strings.Repeat("x", 4000)+"',", 100) + "]\njobs:\n"
	for i := range 900 {
		text += fmt.Sprintf("- input: a%d\n", i)
	}
	parts, problems := manifest.Split("b.yaml", []byte(text))
	var invalid *manifest.InvalidError
	if parts != nil || !errors.As(problems.Err(), &invalid) || invalid.First().Code != manifest.CodeManifestLimit {
		t.Errorf("%d parts, %v", len(parts), problems)
	}
}

// genManifest writes manifests that are mostly right: keys of the tables with values of their types.
func genManifest(t *rapid.T) []byte {
	var fields []manifest.Field
	dialect := rapid.SampledFrom([]manifest.Dialect{manifest.DialectJobConfig, manifest.DialectPipeline, manifest.DialectArtifact}).Draw(t, "dialect")
	for _, f := range manifest.Fields() {
		if f.Dialect == dialect {
			fields = append(fields, f)
		}
	}
	var b strings.Builder
	genMapping(t, &b, fields, "", 0)
	return []byte(b.String())
}

// genMapping writes the keys that stand directly under the prefix.
func genMapping(t *rapid.T, b *strings.Builder, fields []manifest.Field, prefix string, depth int) {
	pad := strings.Repeat("  ", depth)
	wrote := false
	several := prefix == "" && rapid.Bool().Draw(t, "several")
	for _, f := range fields {
		key, below := strings.CutPrefix(f.Path, prefix)
		if !below || strings.ContainsAny(key, ".[") {
			continue
		}
		// Keys that every manifest needs are there most of the time, those that make two forms of one dialect seldom.
		odds := 3
		switch {
		case f.Required:
			odds = 9
		case prefix == "" && (key == "input" || (key == "pipeline" && f.Dialect == manifest.DialectPipeline)):
			odds = map[bool]int{false: 9, true: -1}[several]
		case key == "vms", key == "jobs":
			odds = map[bool]int{false: -1, true: 9}[several]
		case prefix == "" && several, key == "batch", key == "mem_mb", key == "require_boot", key == "checksum", key == "output_name":
			odds = 0
		}
		if rapid.IntRange(0, 9).Draw(t, f.Path) > odds {
			continue
		}
		wrote = true
		fmt.Fprintf(b, "%s%s:", pad, key)
		switch f.Type {
		case "mapping":
			b.WriteByte('\n')
			genMapping(t, b, fields, f.Path+".", depth+1)
		case "list":
			b.WriteByte('\n')
			for range rapid.IntRange(1, 3).Draw(t, "items") {
				fmt.Fprintf(b, "%s-\n", pad)
				genMapping(t, b, fields, f.Path+"[].", depth+1)
			}
		default:
			fmt.Fprintf(b, " %s\n", genValue(t, f, key))
		}
	}
	if !wrote {
		fmt.Fprintf(b, "%sx-nothing: 1\n", pad)
	}
}

func genValue(t *rapid.T, f manifest.Field, key string) string {
	switch f.Type {
	case "true or false":
		return fmt.Sprint(rapid.Bool().Draw(t, "bool"))
	case "word":
		return rapid.SampledFrom(f.Values).Draw(t, "word")
	case "whole number":
		return fmt.Sprint(rapid.IntRange(1, 9).Draw(t, "number"))
	case "time":
		return "2026-01-21T18:30:00Z"
	case "version":
		return rapid.SampledFrom([]string{`"1.0"`, "1.0"}).Draw(t, "version")
	case "text or list of texts":
		return rapid.StringMatching(`[a-z]{1,6}\.vmdk|\[/[a-z]{1,8}\.vhdx, [a-z]{1,8}\.ova\]`).Draw(t, "source")
	case "list of texts":
		return `["a b", 'c']`
	case "mapping of text to text":
		return rapid.SampledFrom([]string{"{}", "{wave: 3, b: true, c: 1.50}", "{é: \"x\\ny\"}"}).Draw(t, "labels")
	case "anything":
		return "{a: [0x10, .inf, ~]}"
	}
	switch key {
	case "checksum":
		return "sha256:" + strings.Repeat("0f", 32)
	case "mac":
		return "00:50:56:AB:cd:ef"
	case "output_dir", "directory":
		return "/srv/kvm/x"
	}
	return rapid.StringMatching(`[a-z][a-z0-9]{3,9}`).Draw(t, "text")
}

// TestSplitProperty: whatever is read is written and read again as the same, and what is read resolves to names that are valid.
func TestSplitProperty(t *testing.T) {
	loaded := 0
	rapid.Check(t, func(rt *rapid.T) {
		b := genManifest(rt)
		if err := checkParts("m.yaml", b); err != nil {
			rt.Fatalf("%s\n%v", b, err)
		}
		drafts, _ := manifest.Load("m.yaml", b)
		for _, d := range drafts {
			loaded++
			j := d.Resolve(manifest.ProductDefaults())
			if err := manifest.ValidName(j.Name); err != nil || len(j.Source.Disks) == 0 || j.Convert.Format == "" {
				rt.Fatalf("%s\n%+v: %v", b, j, err)
			}
		}
	})
	if loaded == 0 {
		t.Error("no generated manifest was right: the property was not tested")
	}
	t.Logf("%d VMs", loaded)
}

func FuzzLoad(f *testing.F) {
	for name, b := range examples(f) {
		f.Add(path.Ext(name), b)
	}
	f.Add(".yaml", []byte("version: 1.0\nvms:\n- name: a\n  pipeline: {load: {source_path: ../b}}\n"))
	f.Add("", []byte("a: &x [*x]\n<<: *x\n"))
	f.Fuzz(func(t *testing.T, ext string, b []byte) {
		name := "m" + ext
		drafts, problems := manifest.Load(name, b)
		if (problems.Err() == nil) != (len(drafts) > 0) {
			t.Fatalf("%d drafts, problems %v", len(drafts), problems)
		}
		var out strings.Builder
		if err := problems.Write(&out, b); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x00\x1b\r\x07") {
			t.Fatalf("control bytes in %q", out.String())
		}
		for _, d := range drafts {
			if err := manifest.ValidName(d.Name); err != nil {
				t.Fatal(err)
			}
			for _, s := range d.Inputs() {
				if s == "" || strings.ContainsAny(s, "\x00\n") || strings.Contains("/"+s+"/", "/../") || (strings.Contains(s, "/") && !path.IsAbs(s)) {
					t.Fatalf("source %q", s)
				}
			}
		}
		if len(drafts) > 0 && len(b) < 1<<16 {
			if err := checkParts(name, b); err != nil {
				t.Fatal(err)
			}
		}
	})
}
