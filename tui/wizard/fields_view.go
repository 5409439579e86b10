package wizard

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
)

// fieldsView are the fields of a step, and below them what the one under the cursor is for.
func (m *model) fieldsView(w, h int) []line {
	s := m.step()
	rows := m.rows(s)
	at := m.selected()
	wide := 0
	for _, r := range rows {
		wide = max(wide, len(r.label()))
	}
	var list []line
	for i, r := range rows {
		list = append(list, m.fieldLine(r, min(wide, max(w/2-8, 8)), i == m.at[s], w))
	}
	about := m.about(at, w)
	var facts []line
	if s == answers.Source {
		facts = m.sourceFacts(w)
	}
	var below []line
	if room := h / 3; h >= 9 {
		below = append(below, m.rule(w, "about "+at.Path, ""))
		below = append(below, about[:min(len(about), max(room-1, 2))]...)
	}
	if len(facts) > 0 && h >= heightForBoth {
		below = append(below, m.rule(w, "detected", "b: files"))
		below = append(below, facts[:min(len(facts), 6)]...)
	}
	if s == answers.Output && m.opt.Preview != nil {
		if room := h - len(below) - min(len(list), h/2) - 1; room >= 2 {
			space := m.spaceLines(w)
			below = append([]line{m.rule(w, "time and space", "")}, append(space[:min(len(space), room)], below...)...)
		}
	}
	shown := window(list, m.at[s], h-len(below))
	return append(filled(shown, h-len(below)), below...)
}

// label is what a row is called: the key of the manifest, so that the two are learnt together.
func (r row) label() string {
	indent := ""
	if r.Stage != "" && !r.Head() {
		indent = "    "
	}
	if r.Kind == answers.Lines && r.item > 0 {
		return indent + "  and"
	}
	return indent + r.Path
}

// fieldLine is one field: what is wrong, its name, its answer.
func (m *model) fieldLine(r row, wide int, selected bool, w int) line {
	vm := m.current()
	v := r.value(vm)
	cursor, mark := " ", look.Span{Text: "  "}
	if selected {
		cursor = m.paint.Glyph(look.Cursor)
	}
	if p, ok := m.problem(r.Path); ok && m.checked == m.version && (!m.form.Empty() || r.Path != "input") {
		mark = look.Span{Text: m.mark("✖ ", "x "), Role: look.Bad}
		if p.Severity != manifest.SeverityError {
			mark = look.Span{Text: m.paint.Glyph(look.Caution) + " ", Role: look.Warn}
		}
	}
	spans := []look.Span{{Text: cursor, Role: look.Key}, mark, {Text: look.Left(r.label(), wide, m.paint.Glyph(look.More)) + "  "}}
	role := look.Key
	if v == "" {
		role = look.Dim
	}
	switch r.Kind {
	case answers.Switch:
		box := "[ ] "
		if r.On(vm) {
			box = "[x] "
		}
		word := "off"
		if r.On(vm) {
			word = "on"
		}
		if v != "" && v != "true" && v != "false" {
			box, word = "[?] ", v
		}
		spans = append(spans, look.Span{Text: box + word, Role: role})
	case answers.Word:
		chosen := v
		if v == "" {
			chosen = r.Default
		}
		room := w - len(" remark on it") - len(chosen) - 4 // the chosen word is seen in any case
		for _, word := range r.Values {
			dot := m.mark("○ ", "( ) ")
			is := word == chosen
			if is {
				dot, room = m.mark("● ", "(*) "), room+len(chosen)+4
			}
			if !is && spansWidth(spans)+len(word)+4 > room {
				continue
			}
			wr := look.Dim
			if is {
				wr = role
			}
			spans = append(spans, look.Span{Text: dot + word + " ", Role: wr})
		}
	default:
		if v == "" {
			v = m.blank(r)
		}
		spans = append(spans, look.Span{Text: v, Role: role})
	}
	if head, ok := m.head(r); ok && !r.Head() && !head.On(vm) {
		spans = append(spans, look.Span{Text: " " + head.Path + " is off", Role: look.Warn})
	} else if r.value(vm) == "" && r.Kind != answers.Lines && r.Default != "" {
		word := " default"
		if r.Own {
			word = " the daemon's default"
		}
		spans = append(spans, look.Span{Text: word, Role: look.Dim})
	}
	return line{spans: m.fit(spans, w), selected: selected}
}

// blank stands where nothing is answered.
func (m *model) blank(r row) string {
	dash := m.mark("—", "-")
	switch {
	case r.Default != "":
		return r.Default
	case r.Path == "name" && m.current().Name() != "":
		return m.current().Name() + " (from the source)"
	case r.Path == "input" && r.item == 0:
		return "b chooses a file, enter types a path"
	case r.last && r.item > 0:
		return "another disk of this VM"
	}
	return dash
}

// about says what is wrong with a field, what it does, and what it would need.
func (m *model) about(r row, w int) []line {
	var out []line
	if p, ok := m.problem(r.Path); ok && m.checked == m.version {
		s := m.problemSpan(p)
		out = append(out, m.wrap(s.Role, s.Text, w)...)
	}
	does := r.Does
	if r.Range != "" {
		does += " Range: " + r.Range + "."
	}
	out = append(out, m.wrap(look.Text, does, w)...)
	if r.Needs != "" {
		out = append(out, m.wrap(look.Dim, r.Needs, w)...)
	}
	if r.Kind == answers.Labels {
		out = append(out, m.wrap(look.Dim, "Write key=value, key=value.", w)...)
	}
	if r.Kind == answers.Structure {
		out = append(out, m.wrap(look.Dim, "Write YAML on one line: "+example(r.Path)+".", w)...)
	}
	return append(out, text(look.Dim, " --"+r.Flag()))
}

// example is a list of mappings with the keys of a field.
func example(path string) string {
	var keys []string
	for _, f := range manifest.Fields() {
		if key, ok := strings.CutPrefix(f.Path, path+"[]."); ok && f.Dialect == manifest.DialectJobConfig && !strings.Contains(key, ".") {
			keys = append(keys, key+": ...")
		}
	}
	return "[{" + strings.Join(keys, ", ") + "}]"
}

// sourceFacts are what is known of the source, when it lies in the directory that is shown.
func (m *model) sourceFacts(w int) []line {
	in := m.current().Inputs()
	if len(in) == 0 {
		return nil
	}
	p, ok := m.files.facts[in[0]]
	if !ok {
		return nil
	}
	return m.factLines(p, w)
}

// factLines tell what a file is.
func (m *model) factLines(p probed, w int) []line {
	item := func(name, s string) line {
		return line{spans: m.fit([]look.Span{{Text: " " + look.Left(name, 10, ""), Role: look.Dim}, {Text: s}}, w)}
	}
	f := p.facts
	switch {
	case !p.done:
		return []line{text(look.Dim, " looking ...")}
	case p.err != nil:
		return m.wrap(look.Warn, p.err.Error(), w)
	}
	out := []line{item("Format", strings.TrimSpace(f.Kind+" "+f.Detail)+", by its content")}
	if f.Virtual > 0 {
		size := fmt.Sprintf("%s virtual, %s to read", look.Bytes(f.Virtual), look.Bytes(f.Allocated))
		if f.Disks > 1 {
			size += fmt.Sprintf(", %d disks", f.Disks)
		}
		out = append(out, item("Size", size))
	}
	if f.Described {
		out = append(out, item("VM", m.machineText(f)))
	}
	if len(f.Chain) > 0 {
		out = append(out, item("Chain", strings.Join(f.Chain, " "+m.paint.Glyph(look.Arrow)+" ")))
	}
	if len(f.Parts) > 0 && len(f.Chain) == 0 {
		out = append(out, item("Files", strings.Join(f.Parts, ", ")))
	}
	for _, n := range f.Notes {
		out = append(out, item("Note", n))
	}
	return out
}

func (m *model) machineText(f Facts) string {
	parts := []string{f.Name}
	if f.Machine.CPUs > 0 {
		parts = append(parts, fmt.Sprintf("%d CPU", f.Machine.CPUs))
	}
	if f.Machine.MemoryMiB > 0 {
		parts = append(parts, look.Bytes(f.Machine.MemoryMiB<<20))
	}
	if f.Machine.Firmware != "" {
		parts = append(parts, f.Machine.Firmware)
	}
	if n := len(f.Machine.NICs); n > 0 {
		parts = append(parts, fmt.Sprintf("%d NIC", n))
	}
	return strings.Join(parts, ", ")
}
