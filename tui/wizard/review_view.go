package wizard

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/look"
)

// reviewView is the manifest as it will be, what is wrong with it, and what can be done.
func (m *model) reviewView(w, h int) []line {
	below := m.reviewEnd(w, h)
	room := max(h-len(below), 0)
	var body []line
	if w >= widthForBoth && m.view < 2 {
		half := w / 2
		left := m.scrolled(m.manifestLines(half-1), room)
		var right []line
		if m.opt.Preview != nil {
			right = m.block("plan", "p", m.planLines(w-half), w-half, room/2)
		}
		right = append(right, m.block("difference from the defaults", "v", m.changeLines(w-half), w-half, room/4)...)
		right = append(right, m.rule(w-half, "the same without the wizard", ""))
		right = append(right, m.commandLines(w-half)...)
		body = m.columns(left, right, w, room)
	} else {
		body = m.scrolled(m.viewLines(w), room)
	}
	return append(filled(body, room), below...)
}

// block are lines under a title, no more of them than there is room for.
func (m *model) block(title, key string, lines []line, w, room int) []line {
	out := []line{m.rule(w, title, "")}
	if room = max(room, 3); len(lines) > room {
		lines = append(lines[:room-1:room-1], text(look.Dim, " "+m.paint.Glyph(look.More)+" "+key+" shows all"))
	}
	return append(out, lines...)
}

// viewLines is the view that was chosen.
func (m *model) viewLines(w int) []line {
	switch m.view {
	case 2:
		return m.changeLines(w)
	case 3:
		return m.commandLines(w)
	case viewPlan:
		return m.planLines(w)
	case viewChanges:
		return m.changesLines(w)
	}
	return m.manifestLines(w)
}

func (m *model) manifestLines(w int) []line {
	b := m.yaml
	if m.view == 1 {
		b = m.json
	}
	var out []line
	for l := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
		role := look.Text
		if strings.HasPrefix(l, "#") {
			role = look.Dim
		}
		out = append(out, m.folded(role, " "+l, w)...)
	}
	return out
}

// changeLines are the answers as a difference from what holds without them.
func (m *model) changeLines(w int) []line {
	var out []line
	vm := -1
	for _, c := range m.form.Changes(m.fields) {
		if c.VM != vm && len(m.form.VMs) > 1 {
			out = append(out, text(look.Title, fmt.Sprintf(" VM %d %s", c.VM+1, m.form.VMs[c.VM].Name())))
		}
		vm = c.VM
		if c.Same {
			out = append(out, text(look.Dim, "   "+c.Path+": "+c.Value+"  (the default too)"))
			continue
		}
		if c.Default != "" {
			out = append(out, text(look.Bad, " - "+c.Path+": "+c.Default))
		}
		for v := range strings.SplitSeq(c.Value, "\n") {
			out = append(out, m.folded(look.Good, " + "+c.Path+": "+v, w)...)
		}
	}
	if len(out) == 0 {
		return []line{text(look.Dim, " nothing is answered: all defaults")}
	}
	return out
}

// commandLines are the command line that does the same.
func (m *model) commandLines(w int) []line {
	r := m.result
	r.Action, r.Form = choices[m.choice].action, m.form
	if r.File == "" {
		r.File = m.saveName()
	}
	var out []line
	now, indent := "", " "
	for i, words := 0, Command(r); i < len(words); {
		item := words[i] // a flag and its value stand on one line
		for i++; i < len(words) && strings.HasPrefix(item, "-") && !strings.HasPrefix(words[i], "-"); i++ {
			item += " " + words[i]
		}
		if now != "" && look.Width(indent+now+" "+item)+2 > w {
			out = append(out, m.folded(look.Text, indent+now+` \`, w)...)
			now, indent = "", "   "
		}
		now = strings.TrimPrefix(now+" "+item, " ")
	}
	return append(out, m.folded(look.Text, indent+now, w)...)
}

// reviewEnd is what the checks say and what can be done.
func (m *model) reviewEnd(w, h int) []line {
	failures, warnings := m.counts()
	out := []line{m.rule(w, "result", "")}
	for i, p := range m.problems {
		if i >= max(h/6, 1) {
			break
		}
		out = append(out, line{spans: m.fit([]look.Span{m.problemSpan(p)}, w)})
	}
	verdict := fmt.Sprintf(" %d VM: %d errors, %d warnings", len(m.form.VMs), failures, warnings)
	where := "files are read where they are"
	if m.result.Copy {
		where = "files are handed in with it"
	}
	out = append(out, line{spans: m.fit([]look.Span{{Text: verdict + "   "}, {Text: "i", Role: look.Key}, {Text: ": " + where, Role: look.Dim}}, w)})
	if m.opt.Preview != nil {
		out = append(out, m.foreseenLine(w))
	}
	var buttons []look.Span
	for i, c := range choices {
		title, role := "  "+c.title+"  ", look.Dim
		if i == m.choice {
			title, role = "[ "+c.title+" ]", look.Title
		}
		buttons = append(buttons, look.Span{Text: title, Role: role})
	}
	return append(out, line{spans: m.fit(append([]look.Span{{Text: " "}}, buttons...), w)})
}

// jobsView are the VMs of the manifest.
func (m *model) jobsView(w, h int) []line {
	var out []line
	first := min(max(m.vm-h/2, 0), max(len(m.form.VMs)-h, 0))
	for i := first; i < min(first+h, len(m.form.VMs)); i++ {
		out = append(out, m.vmLine(i, w))
	}
	return out
}

// vmLine is one VM: whether its answers are right, its name, its sources.
func (m *model) vmLine(i, w int) line {
	vm, cursor := m.form.VMs[i], " "
	if i == m.vm {
		cursor = m.paint.Glyph(look.Cursor)
	}
	mark := look.Span{Text: m.mark("✔", "+") + " valid  ", Role: look.Good}
	bad := 0
	for _, p := range m.problems {
		if p.VM == i && p.Severity == manifest.SeverityError {
			bad++
		}
	}
	if bad > 0 {
		mark = look.Span{Text: fmt.Sprintf("%s %-7s", m.mark("✖", "x"), fmt.Sprintf("%d bad", bad)), Role: look.Bad}
	}
	name := vm.Name()
	if name == "" {
		name = "no source yet"
	}
	return line{selected: i == m.vm, spans: m.fit([]look.Span{
		{Text: cursor, Role: look.Key}, {Text: fmt.Sprintf("%3d ", i+1), Role: look.Dim}, mark,
		{Text: look.Left(m.safe(name), max(w/3, 8), m.paint.Glyph(look.More)) + "  "}, {Text: strings.Join(vm.Inputs(), ", "), Role: look.Dim},
	}, w)}
}

// draftView offers what an earlier run left behind.
func (m *model) draftView(w int) []line {
	d := m.opt.Draft
	out := m.wrap(look.Title, "There is a draft of "+d.At.Format("2006-01-02 15:04:05")+".", w)
	out = append(out, line{})
	for i, vm := range d.Form.VMs {
		if i == 8 {
			out = append(out, text(look.Dim, fmt.Sprintf(" and %d more", len(d.Form.VMs)-i)))
			break
		}
		name := vm.Name()
		if name == "" {
			name = "no source yet"
		}
		out = append(out, line{spans: m.fit([]look.Span{{Text: " " + name + "  "}, {Text: strings.Join(vm.Inputs(), ", "), Role: look.Dim}}, w)})
	}
	out = append(out, line{})
	return append(out, m.wrap(look.Text, "y takes it up, n begins anew. Beginning anew keeps the draft until the first answer.", w)...)
}

// Command is the command line that does what a result says.
func Command(r Result) []string {
	out := []string{"hyperctl", "manifest", "create", "--no-tui"}
	for _, word := range r.Form.Args("--next") {
		out = append(out, Quote(word))
	}
	if r.Action == Save || r.Action == SaveAndSubmit {
		out = append(out, "--save", Quote(r.File))
	}
	if r.Action == Submit || r.Action == SaveAndSubmit {
		out = append(out, "--submit")
		if r.Copy {
			out = append(out, "--copy")
		}
	}
	if r.Action == Print {
		out = append(out, "--print")
		if r.JSON {
			out = append(out, "-o", "json")
		}
	}
	return out
}

// Quote writes s as one word for the shell.
func Quote(s string) string {
	flag, value, ok := strings.Cut(s, "=")
	if ok && strings.HasPrefix(flag, "--") {
		return flag + "=" + Quote(value)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@+%", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
