package ovf

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"hyper2kvm/internal/machine"
)

// Limits of a descriptor.
const (
	// MaxBytes bounds a descriptor's size; the largest of VMware's own appliances has half a megabyte.
	MaxBytes = 4 << 20
	// MaxDepth bounds the nesting; the schema needs about ten levels.
	MaxDepth = 64
	// MaxElements bounds the elements; the largest known appliance has some thousands.
	MaxElements = 100_000
	// MaxAttributes bounds the attributes of one element.
	MaxAttributes = 256
)

// element is an element of a descriptor with everything below it.
type element struct {
	space, name string
	attrs       []xml.Attr
	text        string // character data directly inside
	children    []*element
	line        int
}

// parseTree reads a whole document within the limits.
func parseTree(b []byte) (*element, error) {
	b, err := toUTF8(b)
	if err != nil {
		return nil, err
	}
	d := xml.NewDecoder(bytes.NewReader(b))
	d.CharsetReader = charsetReader
	var root *element
	var open []*element
	var texts [][]byte
	count := 0
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := d.InputPos()
		if err != nil {
			return nil, xmlError(err, line)
		}
		switch t := tok.(type) {
		case xml.Directive:
			return nil, fmt.Errorf("%w: line %d: a document type declaration is not allowed in an OVF", machine.ErrDescriptor, line)
		case xml.StartElement:
			count++
			switch {
			case count > MaxElements:
				return nil, fmt.Errorf("%w: line %d: more than %d elements", machine.ErrLimit, line, MaxElements)
			case len(open) >= MaxDepth:
				return nil, fmt.Errorf("%w: line %d: elements are nested deeper than %d", machine.ErrLimit, line, MaxDepth)
			case len(t.Attr) > MaxAttributes:
				return nil, fmt.Errorf("%w: line %d: an element has %d attributes, the most is %d", machine.ErrLimit, line, len(t.Attr), MaxAttributes)
			case len(open) == 0 && root != nil:
				return nil, fmt.Errorf("%w: line %d: a second document follows the first", machine.ErrDescriptor, line)
			}
			e := &element{space: t.Name.Space, name: t.Name.Local, attrs: t.Attr, line: line}
			e.rename09()
			if len(open) == 0 {
				root = e
			} else {
				up := open[len(open)-1]
				up.children = append(up.children, e)
			}
			// The tags as written must match; rename09 may have changed the element's own name.
			open = append(open, e)
			texts = append(texts, nil)
		case xml.EndElement:
			if len(open) == 0 {
				return nil, fmt.Errorf("%w: line %d: </%s> closes nothing", machine.ErrDescriptor, line, t.Name.Local)
			}
			e := open[len(open)-1]
			if e.tag() != t.Name.Local || e.space != t.Name.Space {
				return nil, fmt.Errorf("%w: line %d: </%s> where </%s> of line %d is open", machine.ErrDescriptor, line, t.Name.Local, e.tag(), e.line)
			}
			e.text = strings.TrimSpace(string(texts[len(texts)-1]))
			open, texts = open[:len(open)-1], texts[:len(texts)-1]
		case xml.CharData:
			if len(open) > 0 {
				texts[len(texts)-1] = append(texts[len(texts)-1], t...)
			}
		}
	}
	switch {
	case len(open) > 0:
		e := open[len(open)-1]
		return nil, fmt.Errorf("%w: the file ends inside <%s> of line %d", machine.ErrDescriptor, e.tag(), e.line)
	case root == nil:
		return nil, fmt.Errorf("%w: there is no XML element in it", machine.ErrDescriptor)
	}
	return root, nil
}

// xmlError gives a decoder's error its kind.
func xmlError(err error, line int) error {
	if errors.Is(err, machine.ErrUnsupported) {
		return err
	}
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return fmt.Errorf("%w: line %d: %s", machine.ErrDescriptor, syntax.Line, syntax.Msg)
	}
	return fmt.Errorf("%w: line %d: %w", machine.ErrDescriptor, line, err)
}

// rename09 gives the generic elements of OVF 0.9, <Section xsi:type="ovf:DiskSection_Type"> and
// <Content xsi:type="ovf:VirtualSystem_Type">, the names that they have had since 1.0.
func (e *element) rename09() {
	if e.name != "Section" && e.name != "Content" {
		return
	}
	typ := e.attr("type")
	if i := strings.LastIndexByte(typ, ':'); i >= 0 {
		typ = typ[i+1:]
	}
	if typ, ok := strings.CutSuffix(typ, "_Type"); ok && typ != "" {
		e.attrs = append(e.attrs, xml.Attr{Name: xml.Name{Space: "\x00", Local: "tag"}, Value: e.name})
		e.name = typ
	}
}

// tag returns the element's name as written.
func (e *element) tag() string {
	for _, a := range e.attrs {
		if a.Name.Space == "\x00" {
			return a.Value
		}
	}
	return e.name
}

// attr returns an attribute by local name, whatever its prefix; "" if there is none. Where several share the name, the one of
// prefix ovf or of none wins: <OperatingSystemSection ovf:version="6" vmw:version="7">.
func (e *element) attr(name string) string {
	found := ""
	for _, a := range e.attrs {
		if !strings.EqualFold(a.Name.Local, name) || a.Name.Space == "xmlns" {
			continue
		}
		if a.Name.Space == "ovf" || a.Name.Space == "" {
			return strings.TrimSpace(a.Value)
		}
		if found == "" {
			found = strings.TrimSpace(a.Value)
		}
	}
	return found
}

// all yields the children of that local name.
func (e *element) all(name string) func(func(*element) bool) {
	return func(yield func(*element) bool) {
		if e == nil {
			return
		}
		for _, c := range e.children {
			if strings.EqualFold(c.name, name) && !yield(c) {
				return
			}
		}
	}
}

// first returns the first child of that local name, nil if there is none. It may be called on nil.
func (e *element) first(names ...string) *element {
	at := e
	for _, name := range names {
		var next *element
		for c := range at.all(name) {
			next = c
			break
		}
		at = next
	}
	return at
}

// value returns the text of the first child of that name, "" if there is none. It may be called on nil.
func (e *element) value(name string) string {
	if c := e.first(name); c != nil {
		return c.text
	}
	return ""
}
