package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// yaml reads the text as one YAML document.
func (p *parser) yaml() *Node {
	dec := yaml.NewDecoder(bytes.NewReader(p.src.text))
	var doc, second yaml.Node
	err := decode(dec, &doc)
	if errors.Is(err, io.EOF) || (err == nil && len(doc.Content) == 0) {
		p.fault(Syntax, Pos{}, "", "", "the file has nothing but comments")
		return nil
	}
	if err != nil {
		p.yamlSyntax(err)
		return nil
	}
	switch err := decode(dec, &second); {
	case err == nil:
		p.fault(Syntax, Pos{second.Line, second.Column, second.Column + 1}, "", "put several VMs under jobs: or vms:",
			"a second document begins here; one file is one document")
	case !errors.Is(err, io.EOF):
		p.yamlSyntax(err)
	}
	return p.node(doc.Content[0], "", 1)
}

// errPanic stands for a fault of the library itself.
var errPanic = errors.New("the YAML library gave up")

// decode reads one document. The library panics on some malformed texts; a manifest must not end the program.
func decode(dec *yaml.Decoder, into *yaml.Node) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return dec.Decode(into)
}

// node turns a node of the library into ours. Its recursion ends at MaxDepth; aliases, which could make a circle, are refused.
func (p *parser) node(y *yaml.Node, path string, depth int) *Node {
	n := &Node{Path: path, Value: y.Value, Plain: y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0}
	n.Pos = p.yamlPos(y)
	if !p.admit(n.Pos, depth) {
		return nil
	}
	switch {
	case y.Kind == yaml.AliasNode:
		p.fault(Syntax, n.Pos, path, "write the value out", "YAML aliases (*%s) are not read", Printable(y.Value))
		return nil
	case y.Anchor != "":
		p.fault(Syntax, n.Pos, path, "remove it and write the value out where it is needed", "YAML anchors (&%s) are not read", Printable(y.Anchor))
	case y.Style&yaml.TaggedStyle != 0:
		p.fault(Syntax, n.Pos, path, "remove the tag; quotes make a text", "YAML tags (%s) are not read", Printable(y.Tag))
		return nil
	}
	switch y.Kind {
	case yaml.MappingNode:
		p.mapping(n, y, depth)
	case yaml.SequenceNode:
		n.Kind = List
		for i, c := range y.Content {
			if item := p.node(c, fmt.Sprintf("%s[%d]", path, i), depth+1); item != nil {
				n.Items = append(n.Items, item)
			}
		}
	default:
		n.Kind = scalarKind(y)
		p.text(n.Value, n.Pos, path)
	}
	if p.full {
		return nil
	}
	return n
}

func (p *parser) mapping(n *Node, y *yaml.Node, depth int) {
	n.Kind = Map
	seen := map[string]Pos{}
	for i := 0; i+1 < len(y.Content) && !p.full; i += 2 {
		k := y.Content[i]
		pos := p.yamlPos(k)
		switch {
		case k.Kind == yaml.AliasNode:
			p.fault(Syntax, pos, n.Path, "write the key out", "YAML aliases (*%s) are not read", Printable(k.Value))
			continue
		case k.Kind != yaml.ScalarNode:
			p.fault(Syntax, pos, n.Path, "", "a key must be a text")
			continue
		case k.Anchor != "" || k.Style&yaml.TaggedStyle != 0:
			p.fault(Syntax, pos, n.Path, "", "a key cannot have an anchor or a tag")
			continue
		case k.Value == "<<" && k.Style == 0:
			p.fault(Syntax, pos, n.Path, "write the keys out", "YAML merge keys (<<) are not read")
			continue
		}
		p.text(k.Value, pos, n.Path)
		p.set(n, seen, k.Value, pos, p.node(y.Content[i+1], join(n.Path, k.Value), depth+1))
	}
}

// scalarKind says what an untagged scalar is, by the core schema of YAML 1.2 (section 10.3).
func scalarKind(y *yaml.Node) Kind {
	switch y.ShortTag() {
	case "!!null":
		return Null
	case "!!bool":
		return Bool
	case "!!int":
		return Int
	case "!!float":
		return Float
	default:
		return Text
	}
}

// yamlPos returns the place of a node, with the end of a scalar on its first line.
func (p *parser) yamlPos(y *yaml.Node) Pos {
	pos := Pos{y.Line, y.Column, y.Column + 1}
	from := p.src.offset(y.Line, y.Column)
	if from < 0 || y.Kind != yaml.ScalarNode {
		return pos
	}
	rest := p.src.line(y.Line)[from-p.src.starts[y.Line-1]:]
	width := 1
	switch {
	case y.Style&yaml.DoubleQuotedStyle != 0:
		width = quotedWidth(rest, '"')
	case y.Style&yaml.SingleQuotedStyle != 0:
		width = quotedWidth(rest, '\'')
	case y.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0 && bytes.HasPrefix(rest, []byte(y.Value)):
		width = max(utf8.RuneCountInString(y.Value), 1)
	}
	pos.EndColumn = pos.Column + width
	return pos
}

// quotedWidth returns how many characters a quoted text at the start of line has, with its quotes.
func quotedWidth(line []byte, quote byte) int {
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] == '\\' && quote == '"':
			i++
		case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == quote:
			i++
		case line[i] == quote:
			return utf8.RuneCount(line[:i+1])
		}
	}
	return utf8.RuneCount(line)
}

// yamlWords are the library's words for what is wrong, and ours.
var yamlWords = []struct{ theirs, ours, hint string }{
	{"mapping values are not allowed", `a ":" cannot stand here`, "put a text that holds a colon in quotes; check the indentation of this line and the one above"},
	{"did not find expected key", "a key was expected here", "check the indentation; an item of a list begins with a dash"},
	{"did not find expected '-' indicator", "an item of the list was expected here", "check the indentation; an item of a list begins with a dash"},
	{"did not find expected ',' or ']'", `a "," or "]" was expected here`, "close the list that [ began"},
	{"did not find expected ',' or '}'", `a "," or "}" was expected here`, "close the mapping that { began"},
	{"could not find expected ':'", `the line has no ":" after its key`, "write key: value"},
	{"found unexpected end of stream", "the file ends inside a text in quotes", "close the quotes"},
	{"found unexpected document indicator", "the document ends inside a text in quotes", "close the quotes"},
	{"block sequence entries are not allowed", "an item of a list cannot stand here", "put the list on the lines below its key"},
	{"block mapping keys are not allowed", "a key cannot stand here", ""},
	{"found unknown escape character", "the text holds an unknown escape", `write \\ for a backslash, or use single quotes`},
	{"did not find expected hexdecimal number", "the text holds an incomplete escape", `write \\ for a backslash, or use single quotes`},
	{"found a tab character", "a tab is used where YAML wants spaces", "use spaces"},
	{"unknown anchor", "YAML aliases are not read", "write the value out"},
	{"exceeded max depth", "values stand too deep in one another", ""},
	{"did not find expected <document start>", "there is more text after the end of the document", "check the indentation"},
	{"control characters are not allowed", "the file holds a control character", ""},
}

// yamlSyntax reports a syntax error. The library names a line at best, and sometimes the one above; where it gave up is found
// by handing it the text byte by byte and seeing how far it read.
func (p *parser) yamlSyntax(err error) {
	in := &slowReader{text: p.src.text}
	dec := yaml.NewDecoder(in)
	for decodeErr := error(nil); decodeErr == nil; {
		decodeErr = decode(dec, &yaml.Node{})
	}
	// The scanner stands four characters behind what it read.
	off := min(in.off, len(in.text)+scannerAhead)
	for range scannerAhead {
		if off > len(in.text) {
			off--
			continue
		}
		_, n := utf8.DecodeLastRune(in.text[:off])
		off -= n
	}
	off = max(min(off, len(bytes.TrimRight(in.text, "\r\n"))), 0)
	pos := p.src.pos(off, off+1)
	if strings.Contains(err.Error(), "unknown anchor") {
		// The library noticed after the name; the alias begins at its star.
		if star := bytes.LastIndexByte(p.src.text[:off], '*'); star >= 0 {
			pos = p.src.pos(star, off)
		}
	}
	if at := tabIndent(p.src, pos.Line); at >= 0 {
		p.fault(Syntax, p.src.pos(at, at+1), "", "use spaces", "a tab is used for indentation")
		return
	}
	msg, hint := "this cannot be read as YAML", "put texts with special characters in quotes"
	if strings.Contains(err.Error(), "cannot start any token") && off < len(p.src.text) {
		r, _ := utf8.DecodeRune(p.src.text[off:])
		msg, hint = "a value cannot begin with "+Quote(string(r)), "put the text in quotes"
	}
	for _, w := range yamlWords {
		if strings.Contains(err.Error(), w.theirs) {
			msg, hint = w.ours, w.hint
			break
		}
	}
	p.fault(Syntax, pos, "", hint, "%s", msg)
}

// scannerAhead is how many characters the library's scanner looks ahead.
const scannerAhead = 4

// slowReader hands out one byte at a time and knows how many. Line ends follow the text, so that the scanner can look ahead at
// its end too.
type slowReader struct {
	text []byte
	off  int
}

// Read implements io.Reader.
func (r *slowReader) Read(b []byte) (int, error) {
	switch {
	case r.off >= len(r.text)+scannerAhead:
		return 0, io.EOF
	case len(b) == 0:
		return 0, nil
	case r.off >= len(r.text):
		b[0] = '\n'
	default:
		b[0] = r.text[r.off]
	}
	r.off++
	return 1, nil
}

// tabIndent returns the offset of a tab in the indentation of a line or its neighbours, -1 if there is none.
func tabIndent(src *source, line int) int {
	for n := max(line-1, 1); n <= min(line+1, len(src.starts)); n++ {
		b := src.line(n)
		indent := b[:len(b)-len(bytes.TrimLeft(b, " \t"))]
		if i := bytes.IndexByte(indent, '\t'); i >= 0 && len(indent) < len(b) {
			return src.starts[n-1] + i
		}
	}
	return -1
}
