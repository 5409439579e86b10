package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// outputMode is the form in which results are printed.
type outputMode string

const (
	outTable outputMode = "table"
	outWide  outputMode = "wide"
	outJSON  outputMode = "json"
	outYAML  outputMode = "yaml"
	outJSONL outputMode = "jsonl"
	outName  outputMode = "name"
)

var outputModes = []string{"table", "wide", "json", "yaml", "jsonl", "tsv", "name"}

// machine tells whether a program reads the output.
func (m outputMode) machine() bool { return m == outJSON || m == outYAML || m == outJSONL }

// documents tells whether results are printed as documents, one by one or as a list.
func (m outputMode) documents() bool { return m.machine() || m == outTemplate || m == outTSV }

// people tells whether the output is for people, who read prose and tables.
func (m outputMode) people() bool { return m == outTable || m == outWide }

type colorMode string

const (
	colorAuto   colorMode = "auto"
	colorAlways colorMode = "always"
	colorNever  colorMode = "never"
)

var colorModes = []string{"auto", "always", "never"}

// column is one column of a table over rows of type T.
type column[T any] struct {
	title string
	wide  bool                         // only with -o wide
	right bool                         // numbers stand to the right
	cell  func(T) (text, color string) // clean text
	_     struct{}                     // keyed literals only
}

// view is how rows of one kind are printed, in every output mode.
type view[T any] struct {
	columns []column[T]
	name    func(T) string // what -o name prints
	doc     func(T) any    // what JSON and YAML show: the documented contract; fields are only ever added
}

// printAll prints rows as they come. A JSON or YAML list is complete even when the rows end in an error, which is returned.
func printAll[T any](c *console, v view[T], rows iter.Seq2[T, error]) error {
	w := newLineWriter(c.out)
	var err error
	switch c.opts.output {
	case outName:
		err = each(rows, func(row T) error { return w.put(clean(v.name(row)), "\n") })
	case outJSON:
		err = printList(c, w, v, rows)
	case outYAML:
		err = printSequence(c, w, v, rows)
	case outJSONL, outTemplate:
		err = printOneByOne(c, w, v, rows)
	case outTSV:
		var head string
		if head, err = tsvHeadOf(c, v); err == nil {
			err = cmp.Or(w.put(head), printOneByOne(c, w, v, rows))
		}
	default:
		t := newTable(w, c, v.columns)
		err = each(rows, t.add)
		err = cmp.Or(err, t.flush())
	}
	return cmp.Or(err, w.flush())
}

// printOneByOne prints rows one by one, each as encodeOne writes it.
func printOneByOne[T any](c *console, w lineWriter, v view[T], rows iter.Seq2[T, error]) error {
	return each(rows, func(row T) error {
		b, err := c.encodeOne(v.doc(row))
		if err != nil {
			return err
		}
		return w.put(string(b))
	})
}

// printList prints a JSON list with one line for each row.
func printList[T any](c *console, w lineWriter, v view[T], rows iter.Seq2[T, error]) error {
	before, after := "[\n", "[]\n"
	err := each(rows, func(row T) error {
		b, err := c.encode(v.doc(row))
		if err != nil {
			return err
		}
		err = w.put(before, string(b))
		before, after = ",\n", "\n]\n"
		return err
	})
	return cmp.Or(err, w.put(after))
}

// printSequence prints a YAML sequence.
func printSequence[T any](c *console, w lineWriter, v view[T], rows iter.Seq2[T, error]) error {
	after := "[]\n"
	err := each(rows, func(row T) error {
		after = ""
		b, err := c.encode(v.doc(row))
		if err != nil {
			return err
		}
		return w.put(string(yamlRow(b)))
	})
	return cmp.Or(err, w.put(after))
}

func each[T any](rows iter.Seq2[T, error], f func(T) error) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return nil
}

// printOne prints one thing: doc for programs, the text that people writes for people, name for -o name.
func (c *console) printOne(doc any, name string, people func(w io.Writer)) error {
	switch c.opts.output {
	case outName:
		_, err := fmt.Fprintln(c.out, clean(name))
		return err
	case outTSV:
		return c.printTSV(doc)
	case outTemplate:
		b, err := c.render(doc)
		if err != nil {
			return err
		}
		_, err = c.out.Write(b)
		return err
	case outJSON, outJSONL, outYAML:
		b, err := c.encode(doc)
		if err != nil {
			return err
		}
		switch c.opts.output {
		case outJSON:
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, b, "", "  "); err != nil {
				return err
			}
			b = append(pretty.Bytes(), '\n')
		case outYAML:
			if b, err = yamlOf(b); err != nil {
				return err
			}
		default:
			b = append(b, '\n')
		}
		_, err = c.out.Write(b)
		return err
	}
	var b bytes.Buffer
	people(&b)
	_, err := c.out.Write(b.Bytes())
	return err
}

// encode writes doc as one line of JSON, with only the fields that --json names, if it names any. Control and other
// unprintable characters inside strings are escapes in JSON, except for a few that encoding/json lets through.
func (c *console) encode(doc any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	b := escapeUnprintable(bytes.TrimRight(buf.Bytes(), "\n"))
	if len(c.opts.fields) == 0 {
		return b, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, usagef("--json: this output has no fields to choose from")
	}
	out := []byte{'{'}
	for i, f := range c.opts.fields {
		v, ok := all[f]
		if !ok {
			if known := fieldsOf(reflect.TypeOf(doc)); !slices.Contains(known, f) {
				return nil, unknownField(f, known)
			}
			v = json.RawMessage("null")
		}
		if i > 0 {
			out = append(out, ',')
		}
		k, err := json.Marshal(f)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, k...), ':'), v...)
	}
	return append(out, '}'), nil
}

// unknownField is the error for a field that a document does not have.
func unknownField(name string, known []string) error {
	return usagef("--json: there is no field %q; there are %s", name, strings.Join(known, ", "))
}

// encodeOne writes one of several documents that come one by one: a line of JSON or TSV, a YAML document, or what a template makes of
// it.
func (c *console) encodeOne(doc any) ([]byte, error) {
	switch c.opts.output {
	case outTemplate:
		return c.render(doc)
	case outTSV:
		return c.tsvLine(doc)
	}
	b, err := c.encode(doc)
	if err != nil || c.opts.output != outYAML {
		return append(b, '\n'), err
	}
	y, err := yamlOf(b)
	return append([]byte("---\n"), y...), err
}

// fieldsOf are the names of the fields that a documented type has in JSON, those of embedded types first as they stand.
func fieldsOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			names = append(names, fieldsOf(f.Type)...)
		case slices.Contains(names, name): // what JSON prints stands in place of the embedded one
		case name != "" && name != "-":
			names = append(names, name)
		}
	}
	return names
}

// escapeUnprintable writes DEL, the C1 controls and the characters that hide or reorder text as \u escapes, which mean the
// same to a JSON reader and nothing to a terminal. They can stand only inside strings.
func escapeUnprintable(b []byte) []byte {
	if !slices.ContainsFunc(b, func(c byte) bool { return c >= 0x7f }) || !bytes.ContainsFunc(b, hidden) {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, r := range string(b) {
		if hidden(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
			continue
		}
		out = append(out, string(r)...)
	}
	return out
}

func hidden(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0xad || r == 0x61c || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r == 0xfeff
}

// yamlOf writes JSON as YAML in block style; keys keep their order.
func yamlOf(j []byte) ([]byte, error) {
	var n yaml.Node
	if err := yaml.Unmarshal(j, &n); err != nil {
		return nil, err
	}
	blockStyle(&n)
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&n); err != nil {
		return nil, err
	}
	return escapeUnprintable(b.Bytes()), enc.Close()
}

// blockStyle undoes the flow style of JSON. Strings keep their quotes where they hold what escapeUnprintable will escape.
func blockStyle(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || !strings.ContainsFunc(n.Value, hidden) {
		n.Style = 0
	}
	for _, c := range n.Content {
		blockStyle(c)
	}
}
