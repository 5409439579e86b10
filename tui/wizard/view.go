package wizard

import (
	"fmt"
	"strings"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
)

// The least that is drawn in, and what it takes for more.
const (
	leastWidth, leastHeight = 20, 6
	heightForRule           = 12  // a rule above the keys
	heightForBoth           = 22  // fields and what is known of the files
	widthForBoth            = 110 // the manifest and its difference beside each other
)

// View paints the screen: exactly height lines of exactly width columns.
func (m *model) View() string {
	w, h := m.width, m.height
	var lines []line
	if w < leastWidth || h < leastHeight {
		lines = []line{text(look.Text, "too small")}
	} else {
		head, foot := m.header(w), m.foot(w, h)
		room := h - len(head) - len(foot)
		lines = append(append(head, filled(m.body(w, room), room)...), foot...)
	}
	var b strings.Builder
	for i := range h {
		if i > 0 {
			b.WriteByte('\n')
		}
		var l line
		if i < len(lines) {
			l = lines[i]
		}
		b.WriteString(m.paint.Line(w, l.selected, l.spans...))
	}
	return b.String()
}

func (m *model) body(w, h int) []line {
	switch m.page {
	case pageFiles:
		return m.filesView(w, h)
	case pageReview:
		return m.reviewView(w, h)
	case pageJobs:
		return m.jobsView(w, h)
	case pageDraft:
		return m.draftView(w)
	case pageHelp:
		return m.scrolled(m.help(w), h)
	}
	return m.fieldsView(w, h)
}

// mark is a character of the wizard's own, and what stands for it where the character set is not known.
func (m *model) mark(utf8, ascii string) string {
	if m.opt.UTF8 {
		return utf8
	}
	return ascii
}

// header is where in the wizard this is.
func (m *model) header(w int) []line {
	spans := []look.Span{{Text: " New manifest  ", Role: look.Title}}
	if w < 72 {
		spans[0].Text = " New "
	}
	names := append(append([]string{}, answers.Steps...), "Review")
	at := stepOf(m.page)
	if at < 0 {
		at = stepOf(m.from)
	}
	for i, name := range names {
		icon, role := m.mark("○", "o"), look.Dim
		switch {
		case i == at:
			icon, role = m.mark("●", "*"), look.Title
		case i < len(answers.Steps) && m.faults(answers.Step(i)) > 0 && (i < at || !m.form.Empty()):
			icon, role = m.mark("✖", "x"), look.Bad
		case i < at:
			icon, role = m.mark("✔", "+"), look.Good
		}
		if i > 0 {
			spans = append(spans, look.Span{Text: m.mark(" › ", " > "), Role: look.Dim})
		}
		spans = append(spans, look.Span{Text: fmt.Sprintf("%s %d %s", icon, i+1, name), Role: role})
	}
	var right []look.Span
	if n := len(m.form.VMs); n > 1 {
		right = []look.Span{{Text: fmt.Sprintf("VM %d/%d ", m.vm+1, n), Role: look.Key}}
	}
	switch {
	case m.lost != nil:
		right = append(right, look.Span{Text: "no draft ", Role: look.Warn})
	case !m.keptAt.IsZero() && w >= 90:
		right = append(right, look.Span{Text: "draft kept " + m.keptAt.Format("15:04:05") + " ", Role: look.Dim})
	}
	title := ""
	switch m.page {
	case pageHelp:
		title = "help"
	case pageJobs:
		title = "VMs of this manifest"
	case pageReview:
		title = views[m.view]
	case pageFiles:
		title = m.files.dir
	default:
		if name := m.current().Name(); name != "" && m.page != pageDraft {
			title = name
		}
	}
	return []line{m.sides(w, spans, right), m.rule(w, title, m.ruleRight())}
}

func (m *model) ruleRight() string {
	switch m.page {
	case pageFiles:
		switch n := len(m.files.shown()); {
		case m.files.reading != "":
			return "reading"
		case m.files.more:
			return fmt.Sprintf("the first %d", MaxEntries)
		case n > 0:
			return fmt.Sprintf("%d of %d", m.files.at+1, n)
		}
	case pageReview:
		return "v: other view"
	}
	return ""
}

// foot is the end of every page: what is asked, typed or told, and the keys.
func (m *model) foot(w, h int) []line {
	var out []line
	switch {
	case m.ask != nil:
		out = append(out, m.askLine(w))
	case m.input != nil:
		out = append(out, m.inputLine(w))
	case len(m.note.spans) > 0:
		out = append(out, line{spans: m.fit(m.note.spans, w)})
	default:
		out = append(out, m.verdict(w))
	}
	if h >= heightForRule {
		out = append(out, m.rule(w, "", ""))
	}
	return append(out, m.hints(w))
}

// askLine is a question, and how to answer it: that is seen however long the question is.
func (m *model) askLine(w int) line {
	const keys = "y: yes  any other key: no"
	q := look.Cut(m.safe(" "+m.ask.text), max(w-len(keys)-2, w/3), m.paint.Glyph(look.More))
	return line{spans: m.fit([]look.Span{{Text: q + " ", Role: look.Warn}, {Text: keys, Role: look.Key}}, w)}
}

// inputLine is what is being typed, scrolled so that the cursor is seen.
func (m *model) inputLine(w int) line {
	in := m.input
	head := " " + in.title + ": "
	before, after := m.safe(string(in.runes[:in.at])), m.safe(string(in.runes[in.at:]))
	room := max(w-look.Width(head)-2, 1)
	for look.Width(before) > room {
		before = string([]rune(before)[1:])
	}
	after = look.Cut(after, max(room-look.Width(before), 0), "")
	return line{spans: []look.Span{{Text: head, Role: look.Dim}, {Text: before, Role: look.Key}, {Text: m.mark("▏", "|"), Role: look.Title}, {Text: after, Role: look.Key}}}
}

// verdict is what the checks say.
func (m *model) verdict(w int) line {
	failures, warnings := m.counts()
	if m.checked != m.version {
		return text(look.Dim, " checking ...")
	}
	if m.page&pageFields != 0 {
		if p, ok := m.problem(m.selected().Path); ok {
			return line{spans: m.fit([]look.Span{m.problemSpan(p)}, w)}
		}
	}
	switch {
	case m.page == pageDraft, m.page == pageFiles && m.form.Empty():
		return line{}
	case failures > 0:
		for _, p := range m.problems {
			if p.Severity == manifest.SeverityError {
				s := m.problemSpan(p)
				if failures > 1 {
					s.Text += fmt.Sprintf(" (and %d more)", failures-1)
				}
				return line{spans: m.fit([]look.Span{s}, w)}
			}
		}
	case warnings > 0:
		return line{spans: m.fit([]look.Span{m.problemSpan(m.problems[0])}, w)}
	}
	return text(look.Good, " "+m.mark("✔", "+")+" valid")
}

// problemSpan is a problem on one line.
func (m *model) problemSpan(p answers.Problem) look.Span {
	s, role := m.mark("✖", "x")+" ", look.Bad
	if p.Severity != manifest.SeverityError {
		s, role = m.paint.Glyph(look.Caution)+" ", look.Warn
	}
	if p.VM >= 0 && len(m.form.VMs) > 1 {
		s += fmt.Sprintf("VM %d ", p.VM+1)
	}
	if p.Field != "" {
		s += p.Field + ": "
	}
	s += p.Message
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return look.Span{Text: " " + s, Role: role}
}

// hints are the keys that work here, as many as fit; quit always does.
func (m *model) hints(w int) line {
	spans := []look.Span{{Text: " "}}
	var show []action
	for _, a := range m.actions {
		if a.foot != "" && a.pages&m.page != 0 && a.foot != "quit" && a.foot != "help" {
			show = append(show, a)
		}
	}
	left := w - 1 - len("?:help q:quit")
	for _, a := range show {
		name := strings.Fields(a.Help().Key)[0]
		n := len(name) + 1 + len(a.foot) + 1
		if n > left {
			break
		}
		left -= n
		spans = append(spans, look.Span{Text: name, Role: look.Key}, look.Span{Text: ":" + a.foot + " ", Role: look.Dim})
	}
	if w > 16 {
		spans = append(spans, look.Span{Text: "?", Role: look.Key}, look.Span{Text: ":help ", Role: look.Dim})
	}
	return line{spans: append(spans, look.Span{Text: "q", Role: look.Key}, look.Span{Text: ":quit", Role: look.Dim})}
}

// scrolled shows lines from where the page was scrolled to.
func (m *model) scrolled(lines []line, h int) []line {
	m.scroll = min(m.scroll, max(len(lines)-h, 0))
	return lines[m.scroll:]
}

// help is the list of the keys that are handled.
func (m *model) help(w int) []line {
	out := m.wrap(look.Text, "Nothing is written before the last step. What is not answered is left to the daemon's defaults, and is not in the manifest.", w)
	out = append(out, line{})
	for _, a := range m.actions {
		h := a.Help()
		for i, l := range look.Wrap(h.Desc, max(w-14, 8)) {
			name := h.Key
			if i > 0 {
				name = ""
			}
			out = append(out, line{spans: []look.Span{{Text: " " + look.Left(name, 11, "") + " ", Role: look.Key}, {Text: l}}})
		}
	}
	return out
}
