package strictyaml

import (
	"bytes"
	"encoding/json"

	"gopkg.in/yaml.v3"
)

// NewText, NewBool, NewMap and NewList make nodes for documents that are written.

// NewText returns a text.
func NewText(s string) *Node { return &Node{Kind: Text, Value: s} }

// NewBool returns a boolean.
func NewBool(v bool) *Node {
	if v {
		return &Node{Kind: Bool, Value: "true"}
	}
	return &Node{Kind: Bool, Value: "false"}
}

// NewMap returns a mapping with the entries.
func NewMap(entries ...Entry) *Node { return &Node{Kind: Map, Entries: entries} }

// NewList returns a list of the items.
func NewList(items ...*Node) *Node { return &Node{Kind: List, Items: items} }

// JSON writes the value as indented JSON with a line end. Parse reads it back as the same tree, but for numbers that JSON
// cannot write (0x10, .inf): they become texts.
func (n *Node) JSON() []byte {
	var compact, b bytes.Buffer
	n.json(&compact)
	if err := json.Indent(&b, compact.Bytes(), "", "  "); err != nil {
		panic(err) // the writer below wrote something that is not JSON: a mistake in this file, which its tests rule out
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func (n *Node) json(b *bytes.Buffer) {
	switch n.Kind {
	case Map:
		b.WriteByte('{')
		for i, e := range n.Entries {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(quoteJSON(e.Key))
			b.WriteByte(':')
			e.Value.json(b)
		}
		b.WriteByte('}')
	case List:
		b.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			item.json(b)
		}
		b.WriteByte(']')
	case Null:
		b.WriteString("null")
	case Bool:
		if *n.Bool() {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case Int, Float:
		if json.Valid([]byte(n.Value)) {
			b.WriteString(n.Value)
		} else {
			b.Write(quoteJSON(n.Value))
		}
	default:
		b.Write(quoteJSON(n.Value))
	}
}

// quoteJSON returns s as a JSON text, with <, > and & as they are.
func quoteJSON(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// YAML writes the value as YAML in block style, two spaces deep.
func (n *Node) YAML() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n.yaml()); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

func (n *Node) yaml() *yaml.Node {
	switch n.Kind {
	case Map:
		y := &yaml.Node{Kind: yaml.MappingNode}
		for _, e := range n.Entries {
			y.Content = append(y.Content, NewText(e.Key).yaml(), e.Value.yaml())
		}
		return y
	case List:
		y := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range n.Items {
			y.Content = append(y.Content, item.yaml())
		}
		return y
	case Text:
		y := &yaml.Node{}
		y.SetString(n.Value) // quotes what would else be read as something other than a text
		return y
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: n.Value}
	}
}
