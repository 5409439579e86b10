package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// outTSV prints a line for each result with the values of its fields between tabs: what awk, cut and a spreadsheet read.
const outTSV outputMode = "tsv"

// tabular is a document that has other columns in TSV than the plain fields that it has in JSON.
type tabular interface{ row() any }

// ordered is a document whose columns have another order than its fields, because a column that is new comes last.
type ordered interface{ columns() []string }

// tsvRow is what a document shows in TSV.
func tsvRow(doc any) any {
	if t, ok := doc.(tabular); ok {
		return t.row()
	}
	return doc
}

// tsvLine is one document as a line of TSV. Before the first one stands the line of the columns.
func (c *console) tsvLine(doc any) ([]byte, error) {
	doc = tsvRow(doc)
	head, names, err := c.tsvHead(reflect.TypeOf(doc))
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(b, &values); err != nil {
		return nil, err
	}
	line := []byte(head)
	for i, name := range names {
		if i > 0 {
			line = append(line, '\t')
		}
		line = append(line, tsvValue(values[name])...)
	}
	return append(line, '\n'), nil
}

// printTSV prints one document, or a line for each of a list.
func (c *console) printTSV(doc any) error {
	var out []byte
	list := reflect.ValueOf(doc)
	if list.Kind() != reflect.Slice {
		list = reflect.Append(reflect.MakeSlice(reflect.SliceOf(list.Type()), 0, 1), list)
	}
	if list.Len() == 0 {
		head, _, err := c.tsvHead(reflect.TypeOf(tsvRow(reflect.Zero(list.Type().Elem()).Interface())))
		out = append(out, head...)
		if err != nil {
			return err
		}
	}
	for i := range list.Len() {
		line, err := c.tsvLine(list.Index(i).Interface())
		if err != nil {
			return err
		}
		out = append(out, line...)
	}
	_, err := c.out.Write(out)
	return err
}

// tsvHead is the line of the columns where it is due, "" where not, and the names of the columns of a type: those that --json chooses,
// in its order, else every field that holds one value. Lists and structures have no column unless they are chosen.
func (c *console) tsvHead(t reflect.Type) (head string, names []string, err error) {
	known := fieldsOf(t)
	if names = c.opts.fields; len(names) == 0 {
		names = plainFields(t)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return "", nil, unknownField(name, known)
		}
	}
	if len(names) == 0 {
		return "", nil, usagef("-o tsv: this output has no columns; choose fields with --json, or use -o json")
	}
	if c.tsvShown == t || c.opts.noHeaders {
		return "", names, nil
	}
	c.tsvShown = t
	return strings.Join(names, "\t") + "\n", names, nil
}

// tsvHeadOf is the line of the columns of a list that may have no rows.
func tsvHeadOf[T any](c *console, v view[T]) (string, error) {
	var row T
	if t := reflect.TypeFor[T](); t.Kind() == reflect.Pointer {
		row = reflect.New(t.Elem()).Interface().(T)
	}
	head, _, err := c.tsvHead(reflect.TypeOf(tsvRow(v.doc(row))))
	return head, err
}

// plainFields are the fields of a documented type that hold one value, in their order: the columns. The order is a contract with scripts,
// which testdata/tsv-columns.txt holds.
func plainFields(t reflect.Type) []string {
	if o, ok := reflect.TypeAssert[ordered](reflect.Zero(t)); ok {
		return o.columns()
	}
	types := map[string]reflect.Type{}
	fieldTypes(t, types)
	return slices.DeleteFunc(fieldsOf(t), func(name string) bool { return !isPlain(types[name]) })
}

// fieldTypes finds the types of the fields by their names in JSON; what stands beside an embedded type hides what is in it.
func fieldTypes(t reflect.Type, types map[string]reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.Anonymous && name == "" {
			fieldTypes(f.Type, types)
		}
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			types[name] = f.Type
		}
	}
}

// isPlain tells whether a type holds one value that JSON writes without brackets.
func isPlain(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return t == reflect.TypeFor[time.Time]()
}

// tsvEscapes are the characters that would end a value or a line, and the one that escapes them.
var tsvEscapes = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// noTime is how JSON writes a time that is not known.
const noTime = `"0001-01-01T00:00:00Z"`

// tsvValue is a value of JSON between two tabs: a text as it is, but for escapes; nothing for null and for what is not there.
func tsvValue(raw json.RawMessage) string {
	text := string(raw)
	switch {
	case text == "" || text == "null" || text == noTime:
		return ""
	case raw[0] == '"':
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
	}
	return clean(tsvEscapes.Replace(text))
}
