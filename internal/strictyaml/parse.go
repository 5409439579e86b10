package strictyaml

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a document.
const (
	// MaxBytes is the size of a document. A thousand VMs described at length take a fifth of it.
	MaxBytes = 1 << 20
	// MaxDepth is how deep mappings and lists may stand in one another. The deepest key of ours stands at 6.
	MaxDepth = 24
	// MaxNodes is how many values a document may have: a thousand VMs with a hundred each.
	MaxNodes = 100_000
	// MaxText is the length of a text in bytes: a path of the longest kind that Linux knows.
	MaxText = 4096
)

// Parse reads a document: as JSON when the name ends in .json, as YAML when it ends in .yaml or .yml, otherwise as JSON if it
// is JSON and as YAML if not. On faults the node is nil when nothing could be read at all, and else holds what could.
func Parse(name string, b []byte) (*Node, []Fault) {
	if len(b) > MaxBytes {
		return nil, []Fault{{Reason: Limit, Message: fmt.Sprintf("the file has more than %d bytes", MaxBytes)}}
	}
	src := newSource(b)
	if f := encoding(src); f != nil {
		return nil, []Fault{*f}
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, []Fault{{Reason: Syntax, Message: "the file is empty"}}
	}
	isJSON := false
	switch strings.ToLower(path.Ext(name)) {
	case ".json":
		isJSON = true
	case ".yaml", ".yml":
	default:
		isJSON = json.Valid(b)
	}
	p := &parser{src: src}
	var root *Node
	if isJSON {
		root = p.json()
	} else {
		root = p.yaml()
	}
	return root, Sort(p.faults)
}

// parser collects what both languages share: the faults and the count of values.
type parser struct {
	src    *source
	faults []Fault
	nodes  int
	full   bool // a limit was reported; nothing more is read
}

func (p *parser) fault(r Reason, pos Pos, path, hint, format string, args ...any) {
	p.faults = append(p.faults, Fault{Reason: r, Pos: pos, Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// admit counts a value and reports whether the limits allow it.
func (p *parser) admit(pos Pos, depth int) bool {
	p.nodes++
	switch {
	case p.full:
	case depth > MaxDepth:
		p.fault(Limit, pos, "", "", "values stand more than %d levels deep in one another", MaxDepth)
	case p.nodes > MaxNodes:
		p.fault(Limit, pos, "", "", "the file has more than %d values", MaxNodes)
	default:
		return true
	}
	p.full = true
	return false
}

// text checks the length of a scalar or key.
func (p *parser) text(s string, pos Pos, path string) {
	if len(s) > MaxText {
		p.fault(Limit, pos, path, "", "the text has %d bytes; %d are allowed", len(s), MaxText)
	}
}

// set adds an entry to a mapping, or reports that the key is there already.
func (p *parser) set(m *Node, seen map[string]Pos, key string, keyPos Pos, v *Node) {
	if first, twice := seen[key]; twice {
		p.fault(Duplicate, keyPos, m.Path, "", "the key %s stands twice, first in line %d", Quote(key), first.Line)
		return
	}
	seen[key] = keyPos
	if v == nil {
		return
	}
	v.KeyPos = keyPos
	m.Entries = append(m.Entries, Entry{Key: key, Value: v})
}

// encoding refuses what is not plain UTF-8 text.
func encoding(src *source) *Fault {
	b := src.text
	utf8Hint := "save it as UTF-8 without a byte order mark"
	fault := func(off int, hint, format string, args ...any) *Fault {
		return &Fault{Reason: Encoding, Pos: src.pos(off, off+1), Message: fmt.Sprintf(format, args...), Hint: hint}
	}
	switch {
	case bytes.HasPrefix(b, []byte{0xEF, 0xBB, 0xBF}):
		return fault(0, utf8Hint, "the file begins with a byte order mark")
	case bytes.HasPrefix(b, []byte{0xFF, 0xFE}), bytes.HasPrefix(b, []byte{0xFE, 0xFF}):
		return fault(0, utf8Hint, "the file is UTF-16 text")
	case len(b) >= 2 && (b[0] == 0) != (b[1] == 0):
		return fault(0, utf8Hint, "the file looks like UTF-16 text")
	}
	for off := 0; off < len(b); {
		r, n := utf8.DecodeRune(b[off:])
		switch {
		case r == utf8.RuneError && n == 1:
			return fault(off, utf8Hint, "the byte %#02x is not UTF-8 text", b[off])
		case r == 0:
			return fault(off, "", "the file holds a NUL byte: it is not text")
		case r == '\t', r == '\n', r == '\r':
		case unicode.IsControl(r):
			return fault(off, "", "the file holds the control character %U", r)
		case r == '\u2028', r == '\u2029', r == '\uFEFF':
			// YAML 1.1 and 1.2 differ on whether the first two end a line; nobody sees the third.
			return fault(off, "", "the file holds the invisible character %U", r)
		}
		off += n
	}
	return nil
}

// join appends a key to a path.
func join(path, key string) string {
	if len(key) > quoteMax || strings.IndexFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		key = Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
