package wizard

import (
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/tui/look"
)

// filesView are the files of a directory, and what the one under the cursor is.
func (m *model) filesView(w, h int) []line {
	b := &m.files
	entry, ok := b.under()
	var below []line
	if ok && !entry.Dir && h >= 9 {
		facts := m.factLines(b.facts[b.path(entry)], w)
		if entry.Odd {
			facts = []line{text(look.Warn, " neither a file nor a folder")}
		}
		if whole := b.whole(entry.Name); whole != "" {
			facts = append([]line{text(look.Dim, " part of "+whole+": choose that one")}, facts...)
		}
		below = append(below, m.rule(w, "detected "+m.paint.Glyph(look.Dot)+" "+entry.Name, ""))
		below = append(below, filled(facts, max(h/3-1, 3))...)
	}
	room := h - len(below)
	var list []line
	switch {
	case b.err != nil:
		list = m.wrap(look.Bad, "cannot read the folder: "+b.err.Error(), w)
	case b.reading != "" && b.entries == nil:
		list = []line{text(look.Dim, " reading ...")}
	}
	all := b.shown()
	if len(list) == 0 {
		first := 0
		if len(all) > room {
			first = min(max(b.at-room/2, 0), len(all)-room)
		}
		for i := first; i < len(all) && i < first+room; i++ {
			list = append(list, m.entryLine(all[i], i == b.at, w))
		}
	}
	if len(all) <= 1 && b.err == nil && b.reading == "" {
		list = append(list, text(look.Dim, " nothing here; / goes to another folder"))
	}
	return append(filled(list, room), below...)
}

// entryLine is one file: its name, its size, what it is.
func (m *model) entryLine(e Entry, selected bool, w int) line {
	path := m.files.path(e)
	cursor, used := " ", "  "
	if selected {
		cursor = m.paint.Glyph(look.Cursor)
	}
	if i := slices.Index(m.current().Inputs(), path); i >= 0 {
		used = fmt.Sprintf("%-2d", i+1)
	}
	name := e.Name
	if e.Dir {
		name += "/"
	}
	wide := max(w/2-8, 8)
	spans := []look.Span{{Text: cursor, Role: look.Key}, {Text: used, Role: look.Good}, {Text: look.Left(m.safe(name), wide, m.paint.Glyph(look.More)) + " "}}
	if !e.Dir {
		what, role := m.entryText(e, path)
		spans = append(spans, look.Span{Text: look.Right(look.Bytes(e.Bytes), 9, "") + "  ", Role: look.Dim}, look.Span{Text: what, Role: role})
	}
	return line{spans: m.fit(spans, w), selected: selected}
}

// entryText is what a file is, in short.
func (m *model) entryText(e Entry, path string) (string, look.Role) {
	p, known := m.files.facts[path]
	whole := m.files.whole(e.Name)
	switch {
	case e.Odd:
		return "no file", look.Dim
	case whole != "":
		return "part of " + whole, look.Dim
	case !known || !p.done:
		return "", look.Dim
	case p.err != nil:
		return "not a source", look.Dim
	case p.facts.Described:
		return p.facts.Kind + ": " + m.machineText(p.facts), look.Text
	}
	s := p.facts.Kind + " " + look.Bytes(p.facts.Virtual)
	if p.facts.Virtual == 0 { // compressed as a whole: what is in it is not known before it is unpacked
		s = strings.TrimSpace(p.facts.Kind + " " + p.facts.Detail)
	}
	if n := len(p.facts.Chain); n > 1 {
		s += fmt.Sprintf(", chain of %d", n)
	}
	return s, look.Text
}
