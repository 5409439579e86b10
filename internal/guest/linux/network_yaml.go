package linux

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// yamlText edits a YAML file as text.
type yamlText struct {
	text  []byte
	edits []yamlEdit
	err   error // the first
}

// yamlEdit puts text in the place of the bytes from start to end.
type yamlEdit struct {
	start, end int
	with       string
}

var errYAMLText = errors.New("a value is written in a way that cannot be edited safely")

func (t *yamlText) fail(n *yaml.Node) {
	if t.err == nil {
		t.err = fmt.Errorf("%w (line %d)", errYAMLText, n.Line)
	}
}

// offset returns where a node begins, -1 where the parser's place is not in the text. Columns count characters.
func (t *yamlText) offset(n *yaml.Node) int {
	rest, at := t.text, 0
	for range n.Line - 1 {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			return -1
		}
		rest, at = rest[i+1:], at+i+1
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(rest)
		if size == 0 {
			return -1
		}
		rest, at = rest[size:], at+size
	}
	return at
}

// span returns where a plain or simply quoted scalar stands; with anything else (escapes, anchors, tags, folded text) the edit fails.
func (t *yamlText) span(n *yaml.Node) (start, end int, quote string, ok bool) {
	switch {
	case n.Kind != yaml.ScalarNode || n.Anchor != "":
	case n.Style == yaml.DoubleQuotedStyle:
		quote, ok = `"`, true
	case n.Style == yaml.SingleQuotedStyle:
		quote, ok = `'`, true
	case n.Style == 0:
		ok = true
	}
	if !ok {
		return 0, 0, "", false
	}
	written := quote + n.Value + quote
	start = t.offset(n)
	if start < 0 || n.Value == "" || !bytes.HasPrefix(t.text[start:], []byte(written)) {
		return 0, 0, "", false
	}
	return start, start + len(written), quote, true
}

// replace gives a scalar a new value in the old quotes.
func (t *yamlText) replace(n *yaml.Node, value string) {
	start, end, quote, ok := t.span(n)
	if !ok {
		t.fail(n)
		return
	}
	if quote == "" && !strings.ContainsAny(value, "abcdefABCDEF_") {
		quote = `"` // YAML 1.1 reads 00:50:56:11:22:33 as a number to the base 60
	}
	t.edits = append(t.edits, yamlEdit{start, end, quote + value + quote})
}

// replacePair puts text in the place of a key with its value.
func (t *yamlText) replacePair(key, value *yaml.Node, with string) {
	start, _, _, ok := t.span(key)
	_, end, _, ok2 := t.span(value)
	if !ok || !ok2 || end < start {
		t.fail(key)
		return
	}
	t.edits = append(t.edits, yamlEdit{start, end, with})
}

// commentPair makes a line that holds a key with its value, and nothing else, a comment.
func (t *yamlText) commentPair(key, value *yaml.Node) {
	start, _, _, ok := t.span(key)
	_, end, _, ok2 := t.span(value)
	if !ok || !ok2 || end < start {
		t.fail(key)
		return
	}
	from := bytes.LastIndexByte(t.text[:start], '\n') + 1
	rest, _, _ := bytes.Cut(t.text[end:], []byte("\n"))
	tail := strings.TrimSpace(string(rest))
	if strings.TrimSpace(string(t.text[from:start])) != "" || bytes.ContainsRune(t.text[start:end], '\n') || tail != "" && tail[0] != '#' {
		t.fail(key)
		return
	}
	t.edits = append(t.edits, yamlEdit{start, start, "# "})
}

// insert puts a pair in front of the others of a mapping, in its style. body may be null.
func (t *yamlText) insert(id, body *yaml.Node, pair string) {
	switch {
	case body.Kind == yaml.MappingNode && body.Style&yaml.FlowStyle != 0:
		at := t.offset(body)
		if at < 0 || at >= len(t.text) || t.text[at] != '{' {
			t.fail(body)
			return
		}
		if len(body.Content) > 0 {
			pair += ", "
		}
		t.edits = append(t.edits, yamlEdit{at + 1, at + 1, pair})
	case body.Kind == yaml.MappingNode && len(body.Content) > 0:
		at := t.offset(body.Content[0])
		from := bytes.LastIndexByte(t.text[:max(at, 0)], '\n') + 1
		if at < 0 || strings.Trim(string(t.text[from:at]), " ") != "" {
			t.fail(body)
			return
		}
		t.edits = append(t.edits, yamlEdit{at, at, pair + "\n" + string(t.text[from:at])})
	case body.Kind == yaml.ScalarNode && body.Tag == "!!null" && body.Value == "" && body.Anchor == "":
		_, end, _, ok := t.span(id)
		if !ok || end >= len(t.text) || t.text[end] != ':' {
			t.fail(id)
			return
		}
		t.edits = append(t.edits, yamlEdit{end + 1, end + 1, " {" + pair + "}"})
	default:
		t.fail(id)
	}
}

// apply returns the text with all edits.
func (t *yamlText) apply() ([]byte, error) {
	if t.err != nil {
		return nil, t.err
	}
	slices.SortFunc(t.edits, func(a, b yamlEdit) int { return cmp.Compare(a.start, b.start) })
	var out []byte
	at := 0
	for _, e := range t.edits {
		if e.start < at {
			return nil, errYAMLText // two edits of one place: an alias
		}
		out = append(append(out, t.text[at:e.start]...), e.with...)
		at = e.end
	}
	return append(out, t.text[at:]...), nil
}
