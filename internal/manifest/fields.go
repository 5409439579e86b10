package manifest

import (
	"fmt"
	"math"
	"strings"

	sy "hyper2kvm/internal/strictyaml"
)

// Field is one key that a manifest may have, for people: what `hyperctl manifest explain` prints.
type Field struct {
	Dialect  Dialect  `json:"dialect"`
	Path     string   `json:"path"` // dotted; [] marks the items of a list: vms[].pipeline.load
	Type     string   `json:"type"`
	Values   []string `json:"values,omitempty"` // all that are allowed, where they are words
	Range    string   `json:"range,omitempty"`  // of numbers, and of the count of items
	Default  string   `json:"default,omitempty"`
	Required bool     `json:"required,omitempty"`
	Text     string   `json:"text"`
}

// Fields returns every key of every dialect, dialect by dialect, a mapping before the keys in it.
func Fields() []Field {
	var fields []Field
	for _, d := range []Dialect{DialectJobConfig, DialectPipeline, DialectArtifact} {
		shapeOf(d).Walk(func(path string, f *sy.Field) {
			fields = append(fields, Field{
				Dialect: d, Path: path, Type: string(f.Type), Values: f.Values, Range: rangeOf(f), Default: f.Default, Required: f.Required, Text: f.Text,
			})
		})
	}
	return fields
}

// LookupFields returns the field with the path and those directly below it, in every dialect that has it. Indexes of lists may
// be left out: vms.pipeline, vms[3].pipeline and vms[].pipeline are the same. The path "" gives the keys at the top.
func LookupFields(path string) []Field {
	path = plainPath(path)
	var found []Field
	for _, f := range Fields() {
		p := plainPath(f.Path)
		rest, below := strings.CutPrefix(p, path+".")
		if path == "" {
			rest, below = p, true
		}
		if p == path || (below && !strings.Contains(rest, ".")) {
			found = append(found, f)
		}
	}
	return found
}

// plainPath removes the indexes of lists.
func plainPath(path string) string {
	var b strings.Builder
	inside := false
	for _, r := range path {
		switch {
		case r == '[':
			inside = true
		case r == ']':
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func rangeOf(f *sy.Field) string {
	switch f.Type {
	case sy.TypeInt:
		if f.Max == math.MaxInt64 {
			return fmt.Sprintf("%d or more", f.Min)
		}
		return fmt.Sprintf("%d to %d", f.Min, f.Max)
	case sy.TypeTexts, sy.TypeTextList, sy.TypeList, sy.TypeLabels:
		return fmt.Sprintf("at most %d items", f.Max)
	default:
		return ""
	}
}
