package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"text/template"
)

// outTemplate prints each document by a template of text/template. There are no functions beyond its own, so that a template reaches
// nothing but the document.
const outTemplate outputMode = "template"

// templatePrefix is how a template is given: -o template='{{.name}}'.
const templatePrefix = "template="

// outputFlag is -o: a word, or a template.
type outputFlag struct {
	enum
	template **template.Template
}

// Set takes a word, or reads a template.
func (o outputFlag) Set(s string) error {
	text, ok := strings.CutPrefix(s, templatePrefix)
	if !ok {
		*o.template = nil
		if err := o.enum.Set(s); err != nil {
			return fmt.Errorf("%w, or template=TEXT", err)
		}
		return nil
	}
	t, err := template.New("-o template").Option("missingkey=error").Parse(text)
	if err != nil {
		return errors.New(templateError(err))
	}
	*o.template, *o.value = t, string(outTemplate)
	return nil
}

// templateFlag is --template: the text of a template alone.
type templateFlag struct{ outputFlag }

// String is the value of a flag that was not given.
func (templateFlag) String() string { return "" }

// Set reads a template.
func (t templateFlag) Set(s string) error { return t.outputFlag.Set(templatePrefix + s) }

// Type is what help shows for the value.
func (templateFlag) Type() string { return "text" }

// Type is what help shows for the value.
func (o outputFlag) Type() string { return o.enum.Type() + "|template=TEXT" }

// templateError is an error of text/template without its own prefix.
func templateError(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), "-o template:")
}

// render prints a document by the template of -o, and a line break where it has none at its end. Its fields have the names that they
// have in JSON; one that the document leaves out is empty, and one that no document has is an error.
func (c *console) render(doc any) ([]byte, error) {
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	data := plainValue(v)
	if m, ok := data.(map[string]any); ok {
		for name, empty := range emptyFields(reflect.TypeOf(doc)) {
			if _, there := m[name]; !there {
				m[name] = empty
			}
		}
	}
	var out bytes.Buffer
	if err := c.opts.template.Execute(limitedWriter{&out}, data); err != nil {
		f := usagef("-o template: %s", templateError(err))
		if known := fieldsOf(reflect.TypeOf(doc)); strings.Contains(err.Error(), "map has no entry") && len(known) > 0 {
			f.why = "the fields are " + strings.Join(known, ", ")
		}
		f.err = err
		return nil, f
	}
	if !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	return out.Bytes(), nil
}

// maxRendered bounds what a template makes of one document: a loop in it does not fill the memory.
const maxRendered = 16 << 20

type limitedWriter struct{ b *bytes.Buffer }

// Write refuses what is too much.
func (w limitedWriter) Write(p []byte) (int, error) {
	if w.b.Len()+len(p) > maxRendered {
		return 0, fmt.Errorf("it makes more than %d bytes of one document: %w", maxRendered, io.ErrShortWrite)
	}
	return w.b.Write(p)
}

// plainValue makes numbers of a document comparable in a template, and takes from its text what a terminal would obey.
func plainValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			v[k] = plainValue(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = plainValue(inner)
		}
	case string:
		return clean(v)
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
	}
	return v
}

// emptyFields are the fields of a documented type with what stands for nothing in them.
func emptyFields(t reflect.Type) map[string]any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	empty := map[string]any{}
	if t.Kind() != reflect.Struct {
		return empty
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			maps.Copy(empty, emptyFields(f.Type))
		case name != "" && name != "-":
			empty[name] = emptyOf(f.Type)
		}
	}
	return empty
}

func emptyOf(t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return false
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int64(0)
	case reflect.Float32, reflect.Float64:
		return float64(0)
	case reflect.Slice:
		return []any(nil)
	case reflect.Map, reflect.Struct:
		if t.PkgPath() == "time" {
			return ""
		}
		return map[string]any(nil)
	}
	return ""
}
