package strictyaml

import (
	"slices"
	"strconv"
)

// Kind is what a Node holds.
type Kind uint8

// The kinds of Nodes. A date is Text: what it means is the reader's business.
const (
	Null Kind = iota
	Bool
	Int
	Float
	Text
	List
	Map
)

// Pos is a place in a document. Line and Column are 1-based, columns count characters; EndColumn is the column after the last
// character of what is meant, on the same line. The zero Pos means the document as a whole.
type Pos struct{ Line, Column, EndColumn int }

// Node is a value in a document.
type Node struct {
	Kind    Kind
	Value   string  // of a scalar: the text without its quotes; of numbers and booleans as they were written
	Plain   bool    // a scalar without quotes
	Pos     Pos     // of the value; of a block mapping or list, of its first entry
	KeyPos  Pos     // of the key that the value stands under; zero for the root and for items of lists
	Path    string  // dotted, as in vms[0].pipeline.load; "" for the root
	Entries []Entry // of a Map, in the order of the document, no key twice
	Items   []*Node // of a List
}

// Entry is a key of a mapping and its value.
type Entry struct {
	Key   string
	Value *Node
}

// Get returns the value that stands under the keys, one level of mappings each, or nil. A nil Node has no values.
func (n *Node) Get(keys ...string) *Node {
	for _, key := range keys {
		if n == nil || n.Kind != Map {
			return nil
		}
		i := slices.IndexFunc(n.Entries, func(e Entry) bool { return e.Key == key })
		if i < 0 {
			return nil
		}
		n = n.Entries[i].Value
	}
	return n
}

// Has reports whether the mapping has the key.
func (n *Node) Has(key string) bool { return n.Get(key) != nil }

// Bool returns the value of a boolean, or nil if n is something else or nothing.
func (n *Node) Bool() *bool {
	if n == nil || n.Kind != Bool {
		return nil
	}
	v := n.Value[0] == 't' || n.Value[0] == 'T'
	return &v
}

// Text returns the value of a text, or nil if n is something else or nothing.
func (n *Node) Text() *string {
	if n == nil || n.Kind != Text {
		return nil
	}
	return &n.Value
}

// Int returns the value of a whole number in decimal, or nil if n is something else or nothing.
func (n *Node) Int() *int64 {
	if n == nil || n.Kind != Int || !decimal(n.Value) {
		return nil
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return nil
	}
	return &v
}

// Place returns where to point for the value as a whole: at its key where it has one and is no scalar.
func (n *Node) Place() Pos {
	if (n.Kind == Map || n.Kind == List || n.Kind == Null) && n.KeyPos.Line > 0 {
		return n.KeyPos
	}
	return n.Pos
}

// decimal reports whether s is a whole number written in one way only: no sign but -, no leading zero, no other base.
func decimal(s string) bool {
	if len(s) > 0 && s[0] == '-' {
		s = s[1:]
	}
	if s == "" || (s[0] == '0' && len(s) > 1) {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
