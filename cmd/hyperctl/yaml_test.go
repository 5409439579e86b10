package main

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
)

// TestYAMLRowsMeanTheSame holds rows to what a YAML library reads in them.
func TestYAMLRowsMeanTheSame(t *testing.T) {
	odd := rapid.SampledFrom([]string{"", "yes", "NO", "null", "~", "1", "1e3", "0x1f", "2026-01-24", "12:30:45", "a: b", "a #b", "- a", "a ", " a", "&a", "*a", "!x",
		"\x1b[31m", "a\nb", "\t", "日本語", "'", `"`, `\`, "a\u2028b", "{}", "[a]", ".inf", "/srv/kvm", "web01.vmdk", "<<", "=", "|", "%a", "@a", "`"})
	text := rapid.OneOf(odd, rapid.String())
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		kinds := []*rapid.Generator[any]{text.AsAny(), rapid.Bool().AsAny(), rapid.Int32().AsAny(), rapid.Float32Range(-1e9, 1e9).AsAny(), rapid.Just[any](nil)}
		if depth > 0 {
			kinds = append(kinds, rapid.MapOfN(text, value(depth-1), 0, 4).AsAny(), rapid.SliceOfN(value(depth-1), 0, 4).AsAny())
		}
		return rapid.OneOf(kinds...)
	}
	con := &console{}
	rapid.Check(t, func(t *rapid.T) {
		b, err := con.encode(rapid.MapOfN(text, value(3), 0, 5).Draw(t, "row"))
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		y := yamlRow(b)
		if bytes.ContainsFunc(y, hidden) || bytes.ContainsRune(y, '\x1b') {
			t.Fatalf("%q reaches the terminal", y)
		}
		if err := yaml.Unmarshal(y, &got); err != nil {
			t.Fatalf("%v\n%s", err, y)
		}
		back, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var again any
		if err := json.Unmarshal(back, &again); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, []any{want}) {
			t.Fatalf("%s\nis read as %s, not %s", y, back, b)
		}
	})
}

func BenchmarkYAMLRow(b *testing.B) {
	row := []byte(`{"job_id":"web01","name":"web01.vmdk","original_name":"web01.vmdk","state":"queued","path":"/var/lib/hyper2kvm/workflow/to_be_processed/web01.vmdk","size":1048576,"queued_at":"2026-01-24T10:00:00Z","submitter_uid":1000,"age_seconds":12,"priority":50}`)
	for b.Loop() {
		yamlRow(row)
	}
}
