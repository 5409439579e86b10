package wizard

import (
	"strings"

	"hyper2kvm/tui/look"
)

// line is one line of the screen before it is painted.
type line struct {
	spans    []look.Span
	selected bool
}

func text(role look.Role, s string) line { return line{spans: []look.Span{{Text: s, Role: role}}} }

// safe is text as the painter will write it, so that its width can be known.
func (m *model) safe(s string) string {
	s = look.Clean(s)
	if !m.opt.UTF8 {
		s = look.ASCII(s)
	}
	return s
}

// fit shortens spans to a width.
func (m *model) fit(spans []look.Span, width int) []look.Span {
	var out []look.Span
	for _, s := range spans {
		s.Text = look.Cut(m.safe(s.Text), max(width, 0), m.paint.Glyph(look.More))
		width -= look.Width(s.Text)
		out = append(out, s)
		if width <= 0 {
			break
		}
	}
	return out
}

func spansWidth(spans []look.Span) int {
	n := 0
	for _, s := range spans {
		n += look.Width(look.Clean(s.Text))
	}
	return n
}

// sides is a line with something at each edge; the left one gives way.
func (m *model) sides(width int, left, right []look.Span) line {
	spans := m.fit(left, width-spansWidth(right)-1)
	spans = append(spans, look.Span{Text: look.Blank(width - spansWidth(spans) - spansWidth(right))})
	return line{spans: append(spans, right...)}
}

// rule is a line across the screen, with a title in it.
func (m *model) rule(width int, title, right string) line {
	r := m.paint.Glyph(look.Rule)
	left := []look.Span{{Text: r + r, Role: look.Dim}}
	if title = look.Cut(m.safe(title), max(width-8, 0), m.paint.Glyph(look.More)); title != "" {
		left = append(left, look.Span{Text: " " + title + " ", Role: look.Title})
	}
	var end []look.Span
	if right = m.safe(right); right != "" && spansWidth(left)+look.Width(right)+4 <= width {
		end = []look.Span{{Text: " " + right + " ", Role: look.Dim}, {Text: r + r, Role: look.Dim}}
	}
	fill := strings.Repeat(r, max(width-spansWidth(left)-spansWidth(end), 0))
	return line{spans: append(append(left, look.Span{Text: fill, Role: look.Dim}), end...)}
}

// wrap is running text in lines.
func (m *model) wrap(role look.Role, s string, width int) []line {
	var out []line
	for _, l := range look.Wrap(s, max(width-2, 1)) {
		out = append(out, text(role, " "+l))
	}
	return out
}

// folded is text that is shown whole: what is longer than a line goes on in the next.
func (m *model) folded(role look.Role, s string, width int) []line {
	s = m.safe(s)
	indent := look.Blank(min(len(s)-len(strings.TrimLeft(s, " "))+2, width/2))
	var out []line
	for room := width; look.Width(s) > room; {
		head := look.Cut(s, room-1, "")
		if head == "" {
			break // one character is wider than the line
		}
		out = append(out, line{spans: []look.Span{{Text: head, Role: role}, {Text: m.mark("↩", "~"), Role: look.Dim}}})
		s = indent + s[len(head):]
	}
	return append(out, text(role, s))
}

// columns puts two blocks of lines beside each other.
func (m *model) columns(left, right []line, width, height int) []line {
	bar := "|"
	if m.opt.UTF8 {
		bar = "│"
	}
	half := width / 2
	var out []line
	for i := range height {
		var l, r line
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		spans := m.fit(l.spans, half-1)
		spans = append(spans, look.Span{Text: look.Blank(half - 1 - spansWidth(spans))}, look.Span{Text: bar, Role: look.Dim})
		out = append(out, line{spans: append(spans, r.spans...)})
	}
	return out
}

// window is the part of lines that is shown in height rows when line at must be among them.
func window(lines []line, at, height int) []line {
	if height <= 0 {
		return nil
	}
	if len(lines) <= height {
		return lines
	}
	first := min(max(at-height/2, 0), len(lines)-height)
	return lines[first : first+height]
}

// filled cuts or fills lines to a height.
func filled(lines []line, height int) []line {
	height = max(height, 0)
	for len(lines) < height {
		lines = append(lines, line{})
	}
	return lines[:height]
}
