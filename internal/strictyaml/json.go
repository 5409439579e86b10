package strictyaml

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// json reads the text as JSON (RFC 8259). The standard library checks the syntax and reads the tokens; where they stand and
// that no key stands twice, which it lets through, is found here.
func (p *parser) json() *Node {
	var raw json.RawMessage
	if err := json.Unmarshal(p.src.text, &raw); err != nil {
		p.jsonSyntax(err)
		return nil
	}
	t := &tokens{p: p, dec: json.NewDecoder(bytes.NewReader(p.src.text))}
	t.dec.UseNumber()
	return t.value("", 1)
}

// tokens walks through JSON that is known to be well-formed.
type tokens struct {
	p   *parser
	dec *json.Decoder
}

// next returns the next token and its place. After well-formed JSON has ended it returns nil.
func (t *tokens) next() (json.Token, Pos) {
	from := int(t.dec.InputOffset())
	text := t.p.src.text
	for from < len(text) && strings.IndexByte(" \t\r\n,:", text[from]) >= 0 {
		from++
	}
	tok, err := t.dec.Token()
	if err != nil {
		return nil, Pos{}
	}
	return tok, t.p.src.pos(from, int(t.dec.InputOffset()))
}

// value reads one value. Its recursion ends at MaxDepth.
func (t *tokens) value(path string, depth int) *Node {
	tok, pos := t.next()
	n := &Node{Pos: pos, Path: path}
	if !t.p.admit(pos, depth) {
		return nil
	}
	switch v := tok.(type) {
	case nil:
		n.Kind, n.Value, n.Plain = Null, "null", true
	case bool:
		n.Kind, n.Value, n.Plain = Bool, fmt.Sprint(v), true
	case json.Number:
		n.Kind, n.Value, n.Plain = Int, v.String(), true
		if strings.ContainsAny(n.Value, ".eE") {
			n.Kind = Float
		}
	case string:
		n.Kind, n.Value = Text, v
		t.p.text(v, pos, path)
	case json.Delim:
		if v == '[' {
			t.list(n, depth)
		} else {
			t.mapping(n, depth)
		}
	}
	if t.p.full {
		return nil
	}
	return n
}

func (t *tokens) list(n *Node, depth int) {
	n.Kind = List
	for i := 0; t.dec.More() && !t.p.full; i++ {
		if item := t.value(fmt.Sprintf("%s[%d]", n.Path, i), depth+1); item != nil {
			n.Items = append(n.Items, item)
		}
	}
	if !t.p.full {
		t.next()
	}
}

func (t *tokens) mapping(n *Node, depth int) {
	n.Kind = Map
	seen := map[string]Pos{}
	for t.dec.More() && !t.p.full {
		tok, pos := t.next()
		key, _ := tok.(string)
		t.p.text(key, pos, n.Path)
		t.p.set(n, seen, key, pos, t.value(join(n.Path, key), depth+1))
	}
	if !t.p.full {
		t.next()
	}
}

// jsonSyntax reports a syntax error in our own words: the library's say what its state machine looked for.
func (p *parser) jsonSyntax(err error) {
	text := p.src.text
	se, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		p.fault(Syntax, Pos{}, "", "", "the file is not JSON")
		return
	}
	off := min(max(int(se.Offset)-1, 0), len(text)-1)
	if strings.Contains(se.Error(), "unexpected end") {
		p.fault(Syntax, p.src.pos(len(bytes.TrimRight(text, " \t\r\n"))-1, 0), "", "", "the JSON text ends too early: a closing }, ] or quote is missing")
		return
	}
	if strings.Contains(se.Error(), "exceeded max depth") {
		p.fault(Limit, p.src.pos(off, 0), "", "", "values stand more than %d levels deep in one another", MaxDepth)
		return
	}
	before := bytes.TrimRight(text[:off], " \t\r\n")
	r, n := utf8.DecodeRune(text[off:])
	pos := p.src.pos(off, off+n)
	switch {
	case (r == '}' || r == ']') && bytes.HasSuffix(before, []byte{','}):
		p.fault(Syntax, pos, "", "remove the comma", "JSON has no comma after the last entry")
	case r == '#' || r == '/':
		p.fault(Syntax, pos, "", "a .yaml file may have comments", "JSON has no comments")
	case r == '\'':
		p.fault(Syntax, pos, "", "", "JSON has its texts in double quotes")
	case strings.Contains(se.Error(), "after top-level value"):
		p.fault(Syntax, pos, "", "", "there is more text after the end of the JSON document")
	case strings.Contains(se.Error(), "in string"):
		p.fault(Syntax, pos, "", `write \n for a new line, \t for a tab and \\ for a backslash`, "a JSON text cannot hold %s here", Quote(string(r)))
	case len(before) == 0:
		p.fault(Syntax, pos, "", "YAML belongs in a file that ends in .yaml", "the file is not JSON")
	case strings.Contains(se.Error(), "after array element"), strings.Contains(se.Error(), "key:value pair"):
		p.fault(Syntax, pos, "", "", "entries are separated by a comma, found %s", Quote(string(r)))
	case strings.Contains(se.Error(), "after object key"):
		p.fault(Syntax, pos, "", "", "a key and its value are separated by a colon, found %s", Quote(string(r)))
	case strings.Contains(se.Error(), "object key string"):
		p.fault(Syntax, pos, "", "", "a key in double quotes was expected, found %s", Quote(string(r)))
	default:
		p.fault(Syntax, pos, "", "", "JSON cannot have %s here", Quote(string(r)))
	}
}
