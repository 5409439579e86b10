package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/schema"
)

// object is a schema or a part of one.
type object = map[string]any

func root(t *testing.T) object {
	t.Helper()
	var r object
	if err := json.Unmarshal(schema.Manifest(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// resolve follows a reference.
func resolve(t *testing.T, root object, v any) object {
	t.Helper()
	o, ok := v.(object)
	if !ok {
		t.Fatalf("not a schema: %v", v)
	}
	if ref, ok := o["$ref"].(string); ok {
		return root["definitions"].(object)[strings.TrimPrefix(ref, "#/definitions/")].(object)
	}
	return o
}

// TestSchemaIsTheTable compares the schema with the table of keys that the loader reads: every key both ways, types, words,
// ranges, defaults, what is required, and the sentences for people.
func TestSchemaIsTheTable(t *testing.T) {
	r := root(t)
	dialects := map[manifest.Dialect]object{}
	for dialect, name := range map[manifest.Dialect]string{
		manifest.DialectJobConfig: "jobConfig", manifest.DialectPipeline: "pipelineManifest", manifest.DialectArtifact: "artifactManifest",
	} {
		dialects[dialect] = r["definitions"].(object)[name].(object)
	}
	table := map[string]bool{}
	for _, f := range manifest.Fields() {
		table[string(f.Dialect)+" "+f.Path] = true
		at := dialects[f.Dialect]
		keys := strings.Split(f.Path, ".")
		for i, key := range keys {
			name, list := strings.CutSuffix(key, "[]")
			next, ok := at["properties"].(object)[name]
			if !ok {
				t.Errorf("%s: %s is not in the schema", f.Dialect, f.Path)
				at = nil
				break
			}
			if i == len(keys)-1 {
				if required := slices.Contains(texts(at["required"]), name); required != f.Required {
					t.Errorf("%s: %s: required %v in the schema, %v in the table", f.Dialect, f.Path, required, f.Required)
				}
			}
			at = resolve(t, r, next)
			if list {
				at = resolve(t, r, at["items"])
			}
		}
		if at != nil {
			compare(t, f, at)
		}
	}
	for dialect, o := range dialects {
		walk(t, r, o, "", func(path string) {
			if !table[string(dialect)+" "+path] {
				t.Errorf("%s: %s is in the schema only", dialect, path)
			}
		})
	}
}

// walk visits every key of a schema and looks that its mappings are closed.
func walk(t *testing.T, root, o object, prefix string, visit func(string)) {
	t.Helper()
	if o["additionalProperties"] != false || o["patternProperties"].(object)["^x-"] != true || o["type"] != "object" {
		t.Errorf("%q: the mapping is open, or closed to x- keys", prefix)
	}
	for key, v := range o["properties"].(object) {
		visit(prefix + key)
		child := resolve(t, root, v)
		if items, ok := child["items"]; ok {
			if child = resolve(t, root, items); child["properties"] != nil {
				walk(t, root, child, prefix+key+"[].", visit)
			}
		} else if child["properties"] != nil {
			walk(t, root, child, prefix+key+".", visit)
		}
	}
}

func compare(t *testing.T, f manifest.Field, o object) {
	t.Helper()
	wrong := func(what string, got, want any) {
		t.Helper()
		t.Errorf("%s: %s: %s is %v in the schema, %v in the table", f.Dialect, f.Path, what, got, want)
	}
	if o["description"] != f.Text {
		wrong("description", o["description"], f.Text)
	}
	if got := fmt.Sprint(o["default"]); f.Default != "" && got != f.Default || f.Default == "" && o["default"] != nil {
		wrong("default", o["default"], f.Default)
	}
	kind := map[string]any{"true or false": "boolean", "text": "string", "whole number": "integer", "time": "string", "list": "array", "list of texts": "array",
		"mapping": "object", "mapping of text to text": "object"}[f.Type]
	if o["type"] != kind {
		wrong("type", o["type"], f.Type)
	}
	switch f.Type {
	case "word":
		if got := texts(o["enum"]); !slices.Equal(got, f.Values) {
			wrong("enum", got, f.Values)
		}
	case "version":
		if !reflect.DeepEqual(o["enum"], []any{"1.0", 1.0}) {
			wrong("enum", o["enum"], "1.0")
		}
	case "whole number":
		rng := fmt.Sprintf("%v or more", number(o["minimum"]))
		if o["maximum"] != nil {
			rng = fmt.Sprintf("%v to %v", number(o["minimum"]), number(o["maximum"]))
		}
		if rng != f.Range {
			wrong("range", rng, f.Range)
		}
	case "text or list of texts":
		forms := o["oneOf"].([]any)
		if one, many := forms[0].(object), forms[1].(object); one["type"] != "string" || fmt.Sprintf("at most %v items", number(many["maxItems"])) != f.Range || many["minItems"] != 1.0 {
			wrong("oneOf", forms, f.Range)
		}
	case "list", "list of texts":
		if got := fmt.Sprintf("at most %v items", number(o["maxItems"])); got != f.Range {
			wrong("items", got, f.Range)
		}
	case "mapping of text to text":
		if got := fmt.Sprintf("at most %v items", number(o["maxProperties"])); got != f.Range {
			wrong("properties", got, f.Range)
		}
	}
}

// number prints a number of JSON without an exponent.
func number(v any) string {
	f, ok := v.(float64)
	if !ok || f != math.Trunc(f) {
		return fmt.Sprint(v)
	}
	return strconv.FormatInt(int64(f), 10)
}

func texts(v any) []string {
	var s []string
	list, _ := v.([]any)
	for _, x := range list {
		s = append(s, fmt.Sprint(x))
	}
	return s
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema.Manifest()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	id := root(t)["$id"].(string)
	if err := c.AddResource(id, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// value reads a document as a validator of JSON would see it.
func value(t *testing.T, b []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestExamplesFit: every shipped manifest, and every example in the schema itself, fits the schema and loads.
func TestExamplesFit(t *testing.T) {
	s := compile(t)
	files, err := filepath.Glob("../examples/*")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, name := range files {
		if strings.HasPrefix(filepath.Base(name), "workflow-daemon") {
			continue // settings of the daemon
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		checked++
		if err := s.Validate(value(t, b)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if checked < 7 {
		t.Errorf("only %d examples", checked)
	}
	for _, name := range []string{"jobConfig", "pipelineManifest", "artifactManifest"} {
		for _, example := range root(t)["definitions"].(object)[name].(object)["examples"].([]any) {
			b, err := json.Marshal(example)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Validate(value(t, b)); err != nil {
				t.Errorf("%s: %v", b, err)
			}
			if _, problems := manifest.Load("m.json", b); len(problems) > 0 {
				t.Errorf("%s: %v", b, problems)
			}
		}
	}
}

// TestBothRefuse: what the schema refuses, the loader refuses too, and the other way round where a schema can say it.
func TestBothRefuse(t *testing.T) {
	s := compile(t)
	for _, text := range []string{
		`[]`, `{}`, `{"input": 1}`, `{"input": []}`, `{"input": "a", "jobs": [{"input": "b"}]}`, `{"jobs": []}`, `{"jobs": [{}]}`, `{"jobs": [{"input": "a"}], "name": "b"}`,
		`{"input": "a", "compress": "yes"}`, `{"input": "a", "compress": null}`, `{"input": "a", "output_format": "qcow3"}`, `{"input": "a", "imput": "b"}`,
		`{"input": "a", "compress_level": 20}`, `{"input": "a", "compress_level": 1.5}`, `{"input": "a", "tags": {"a": []}}`, `{"input": "a", "name": ".x"}`,
		`{"input": "a", "checksum": "md5:1"}`, `{"input": "a", "output_dir": "rel"}`, `{"input": "a", "version": "1.0"}`, `{"input": "a", "vm": {"secure_boot": true}}`,
		`{"version": "1.0"}`, `{"version": "2.0", "pipeline": {"load": {"source_path": "a"}}}`, `{"pipeline": {"load": {"source_path": "a"}}}`,
		`{"version": "1.0", "pipeline": {"load": {}}}`, `{"version": "1.0", "batch": true, "pipeline": {"load": {"source_path": "a"}}}`,
		`{"version": "1.0", "batch": false, "vms": [{"name": "a", "pipeline": {"load": {"source_path": "a"}}}]}`,
		`{"version": "1.0", "vms": [{"name": "a", "pipeline": {"load": {"source_path": "a"}}}], "tags": {}}`,
		`{"version": "1.0", "vms": [{"pipeline": {"load": {"source_path": "a"}}}]}`, `{"version": "1.0", "vms": []}`,
		`{"version": "1.0", "pipeline": {"load": {"source_path": "a"}, "fix": {"network": {"fix_level": "total"}}}}`,
		`{"manifest_version": "1.0"}`, `{"manifest_version": "1.0", "disks": []}`, `{"manifest_version": "1.0", "disks": [{"id": "a"}]}`,
		`{"manifest_version": "1.0", "disks": [{"id": "a b", "source_format": "vmdk", "local_path": "a"}]}`,
		`{"manifest_version": "1.0", "disks": [{"id": "a", "source_format": "ova", "local_path": "a"}]}`,
		`{"manifest_version": "1.0", "disks": [{"id": "a", "source_format": "vmdk", "local_path": "a", "bytes": -1}]}`,
		`{"manifest_version": "1.0", "disks": [{"id": "a", "source_format": "vmdk", "local_path": "a"}], "source": {}}`,
		`{"manifest_version": "1.0", "disks": [{"id": "a", "source_format": "vmdk", "local_path": "a"}], "source": {"provider": "x", "export_timestamp": "now"}}`,
	} {
		if err := s.Validate(value(t, []byte(text))); err == nil {
			t.Errorf("the schema takes %s", text)
		}
		if _, problems := manifest.Load("m.json", []byte(text)); problems.Err() == nil {
			t.Errorf("the loader takes %s", text)
		}
	}
}
