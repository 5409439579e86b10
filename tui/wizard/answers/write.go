package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"hyper2kvm/internal/manifest"
)

// YAML writes the form as a job config: its keys at the top, or for several VMs a list under jobs. An answer that is not UTF-8
// is an error.
func (f Form) YAML() ([]byte, error) {
	doc, err := f.document()
	if err != nil {
		return nil, err
	}
	b := bytes.NewBufferString("# yaml-language-server: $schema=" + manifest.SchemaPath + "\n")
	enc := yaml.NewEncoder(b)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("cannot write the answers: %w", err)
	}
	return b.Bytes(), nil
}

// JSON writes the same as JSON.
func (f Form) JSON() ([]byte, error) {
	doc, err := f.document()
	if err != nil {
		return nil, err
	}
	doc.Content = append([]*yaml.Node{text("$schema"), text(manifest.SchemaPath)}, doc.Content...)
	var flat, out bytes.Buffer
	if err := writeJSON(&flat, doc); err != nil {
		return nil, err
	}
	if err := json.Indent(&out, flat.Bytes(), "", "  "); err != nil {
		return nil, fmt.Errorf("cannot write the answers: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// document is the form as a tree.
func (f Form) document() (*yaml.Node, error) {
	var docs []*yaml.Node
	fields := Fields()
	for _, vm := range f.VMs {
		doc := mapping()
		for _, field := range fields {
			v, ok := vm[field.Path]
			if !ok {
				continue
			}
			if !utf8.ValidString(v) {
				return nil, fmt.Errorf("%s: the answer is not UTF-8 text", field.Path)
			}
			place(doc, field.Path, value(field.Kind, v))
		}
		docs = append(docs, doc)
	}
	if len(docs) == 1 {
		return docs[0], nil
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: docs}
	return mapping(text("jobs"), list), nil
}

func mapping(content ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: content}
}

// place puts a value under a dotted path; its mappings are made where they are not there.
func place(doc *yaml.Node, path string, v *yaml.Node) {
	key, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		doc.Content = append(doc.Content, text(key), v)
		return
	}
	for i := 0; i < len(doc.Content); i += 2 {
		if doc.Content[i].Value == key {
			place(doc.Content[i+1], rest, v)
			return
		}
	}
	inner := mapping()
	doc.Content = append(doc.Content, text(key), inner)
	place(inner, rest, v)
}

// text is a string, in quotes where without them it would be read as something else.
func text(s string) *yaml.Node {
	var n yaml.Node
	if err := n.Encode(s); err != nil || n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: s}
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		n.Style = yaml.DoubleQuotedStyle // a block would hide what ends the line
	}
	return &n
}

// value is an answer as its kind is written. One that cannot be stays a text, which manifest.Load then finds wrong.
func value(k Kind, s string) *yaml.Node {
	switch k {
	case Switch:
		if s == "true" || s == "false" {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: s}
		}
	case Number:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: s}
		}
	case Lines:
		all := lines(s)
		if len(all) > 1 {
			list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
			for _, l := range all {
				list.Content = append(list.Content, text(l))
			}
			return list
		}
	case Labels:
		if n := labels(s); n != nil {
			return n
		}
	case Structure:
		if n := structure(s); n != nil {
			return n
		}
	case Line, Word:
	}
	return text(s)
}

// labels reads key=value, key=value, or a mapping in braces; nil for anything else.
func labels(s string) *yaml.Node {
	if strings.HasPrefix(strings.TrimSpace(s), "{") {
		n := structure(s)
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		return n
	}
	out := mapping()
	for part := range strings.SplitSeq(s, ",") {
		key, v, ok := strings.Cut(part, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil
		}
		out.Content = append(out.Content, text(key), text(strings.TrimSpace(v)))
	}
	return out
}

// maxNodes bounds what one answer may hold.
const maxNodes = 10_000

// structure reads YAML that stands on one line; nil for anything that is not a list or mapping, and for what refers to something.
func structure(s string) *yaml.Node {
	if strings.Contains(s, "\n") {
		return nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(s), &doc); err != nil || len(doc.Content) != 1 {
		return nil
	}
	n := doc.Content[0]
	left := maxNodes
	if n.Kind == yaml.ScalarNode || !plain(n, &left) {
		return nil
	}
	return n
}

// plain makes a tree a plain one: blocks instead of braces, quotes only where they are needed, no comments. False when it holds an anchor, an alias or too much.
func plain(n *yaml.Node, left *int) bool {
	if *left--; *left < 0 || n.Kind == yaml.AliasNode || n.Anchor != "" {
		return false
	}
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	switch {
	case n.Kind != yaml.ScalarNode:
		n.Style = 0
	case n.Tag == "!!str":
		*n = *text(n.Value)
	}
	for _, c := range n.Content {
		if !plain(c, left) {
			return false
		}
	}
	return true
}

// writeJSON writes a tree as JSON.
func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch {
	case n.Kind == yaml.SequenceNode:
		b.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, c); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case n.Kind == yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeText(b, n.Content[i].Value); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case (n.Tag == "!!bool" || n.Tag == "!!int") && json.Valid([]byte(n.Value)), n.Tag == "!!null" && n.Value == "null":
		b.WriteString(n.Value)
	default:
		return writeText(b, n.Value)
	}
	return nil
}

func writeText(b *bytes.Buffer, s string) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return fmt.Errorf("cannot write the answers: %w", err)
	}
	b.Truncate(b.Len() - 1) // its line end
	return nil
}
