package wizard

import (
	"fmt"
	"strings"

	"hyper2kvm/tui/look"
)

// waitText says why there is no preview yet; "" when there is one.
func (m *model) waitText() string {
	failures, _ := m.counts()
	_, there := m.foreseen()
	switch {
	case there:
		return ""
	case failures > 0:
		return "known when nothing is wrong any more"
	case m.preview.failure != nil && m.preview.of == m.now():
		return "cannot be looked at: " + m.preview.failure.Error()
	}
	return "looking ..."
}

// planLines are the plan of the VM that is shown, as hyperctl plan prints it.
func (m *model) planLines(w int) []line {
	if m.opt.Preview == nil {
		return []line{text(look.Dim, " not known from here: hyperctl plan FILE")}
	}
	if why := m.waitText(); why != "" {
		return m.wrap(look.Dim, why, w)
	}
	p, _ := m.foreseen()
	vm, ok := m.ofVM(p)
	if !ok {
		return m.wrap(look.Dim, fmt.Sprintf("only the first %d VMs are planned", MaxPlanned), w)
	}
	var out []line
	if vm.Fails != "" {
		out = append(out, m.wrap(look.Bad, m.mark("✖", "x")+" the job would fail: "+vm.Code+" "+vm.Fails, w)...)
		if vm.Hint != "" {
			out = append(out, m.wrap(look.Text, vm.Hint, w)...)
		}
	}
	for _, l := range vm.Plan {
		out = append(out, m.folded(look.Text, " "+l, w)...)
	}
	return append(out, m.foreseenLines(p, w)...)
}

// foreseenLines are time and space.
func (m *model) foreseenLines(p Preview, w int) []line {
	out := m.timeLines(p, w)
	for _, place := range p.Places {
		role, front := look.Text, ""
		switch {
		case place.Short():
			role, front = look.Warn, m.paint.Glyph(look.Caution)+" "
		case place.Unknown != "":
			role = look.Dim
		}
		out = append(out, m.wrap(role, front+place.String(), w)...)
	}
	return out
}

// timeLines are how long it takes, and what comes before.
func (m *model) timeLines(p Preview, w int) []line {
	var out []line
	for _, s := range []string{p.Time(), p.Turn()} {
		if s != "" {
			out = append(out, m.wrap(look.Text, s, w)...)
		}
	}
	return out
}

// spaceLines are what the step Output shows of space and time, with a bar for each place.
func (m *model) spaceLines(w int) []line {
	if why := m.waitText(); why != "" {
		return m.wrap(look.Dim, why, w)
	}
	p, _ := m.foreseen()
	var out []line
	for _, place := range p.Places {
		out = append(out, m.spaceLine(place, w))
	}
	out = append(out, m.timeLines(p, w)...)
	for _, vm := range p.Fails() {
		out = append(out, m.wrap(look.Bad, m.mark("✖", "x")+" "+vm.Name+" would fail: "+vm.Code+" "+vm.Fails, w)...)
	}
	return out
}

// spaceLine is a place: a bar of what is used or reserved, what these jobs may need, and what is left; and the figures.
func (m *model) spaceLine(p Place, w int) line {
	front := look.Span{Text: " " + p.What + " ", Role: look.Dim}
	if p.Unknown != "" {
		return line{spans: m.fit([]look.Span{front, {Text: p.Unknown, Role: look.Dim}}, w)}
	}
	width := min(max(w/8, 6), 24)
	cells := func(n int64) int {
		return int(float64(min(max(n, 0), p.Total)) / float64(max(p.Total, 1)) * float64(width))
	}
	used := min(cells(p.Total-p.Free+p.Reserved), width)
	need := min(cells(p.Need), width-used)
	if p.Need > 0 && need == 0 && used < width {
		need = 1
	}
	role, caution := look.Text, " "
	if p.Short() {
		role, caution = look.Warn, " "+m.paint.Glyph(look.Caution)+" "
	}
	return line{spans: m.fit([]look.Span{
		front, {Text: strings.Repeat(m.paint.Glyph(look.Full), used), Role: look.Dim}, {Text: strings.Repeat(m.mark("▒", "+"), need), Role: look.Busy},
		{Text: strings.Repeat(m.paint.Glyph(look.Empty), width-used-need), Role: look.Dim}, {Text: caution + p.Room(), Role: role},
	}, w)}
}

// foreseenLine is time and space in one line, for the review.
func (m *model) foreseenLine(w int) line {
	if why := m.waitText(); why != "" {
		return line{spans: m.fit([]look.Span{{Text: " plan: " + why, Role: look.Dim}}, w)}
	}
	p, _ := m.foreseen()
	if why := p.Objection(); why != "" {
		return line{spans: m.fit([]look.Span{{Text: " " + m.paint.Glyph(look.Caution) + " " + why, Role: look.Warn}}, w)}
	}
	s := p.Time()
	if len(p.Places) > 0 && p.Places[0].Unknown == "" {
		s += "; " + p.Places[0].String()
	}
	return line{spans: m.fit([]look.Span{{Text: " p", Role: look.Key}, {Text: ": " + s}}, w)}
}
