package tui

import (
	"fmt"
	"strings"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// The least that is drawn in, and below which the list is reduced to state, name and percent.
const (
	leastWidth, leastHeight = 20, 6
	listOnly                = 60
	leastForHints           = 12 // rows
)

// line is one line of the screen before it is painted.
type line struct {
	spans    []look.Span
	selected bool
}

func text(role look.Role, s string) line { return line{spans: []look.Span{{Text: s, Role: role}}} }

// sides is a line with something at each edge; the left one gives way.
func (m *model) sides(width int, left, right []look.Span) line {
	room := width - spansWidth(right) - 1
	spans := m.fit(left, room)
	spans = append(spans, look.Span{Text: look.Blank(width - spansWidth(spans) - spansWidth(right))})
	return line{spans: append(spans, right...)}
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

// safe is text as the painter will write it, so that its width can be known.
func (m *model) safe(s string) string {
	s = look.Clean(s)
	if !m.opt.UTF8 {
		s = look.ASCII(s)
	}
	return s
}

func spansWidth(spans []look.Span) int {
	n := 0
	for _, s := range spans {
		n += look.Width(look.Clean(s.Text))
	}
	return n
}

// rule is a line across the screen, with a title in it.
func (m *model) rule(width int, title, right string) line {
	r := m.paint.Glyph(look.Rule)
	if title == "" && right == "" {
		return text(look.Dim, strings.Repeat(r, width))
	}
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

// View paints the screen: exactly height lines of exactly width columns.
func (m *model) View() string {
	w, h := m.width, m.height
	var lines []line
	switch {
	case w < leastWidth || h < leastHeight:
		lines = []line{text(look.Text, "too small")}
	case m.page == pageList:
		lines = m.listView(w, h)
	default:
		lines = m.pageView(w, h)
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

// foot is the end of every page: what is asked, typed or told, and the keys.
func (m *model) foot(w, h int) []line {
	var out []line
	switch {
	case m.ask != nil:
		out = append(out, m.askLine(w))
	case m.input != nil:
		out = append(out, text(look.Key, " /"+m.tail(m.input.text, w-4)+m.paint.Glyph(look.Full)))
	case m.failure != nil:
		out = append(out, text(look.Bad, " cannot read the directory: "+oneLine(m.failure.Error())))
	case m.note.text != "" && m.now.Before(m.note.until):
		out = append(out, line{spans: m.fit([]look.Span{{Text: " " + oneLine(m.note.text), Role: m.note.role}}, w)})
	case m.page == pageList && len(m.screen.Ended) > 0 && h < heightForEnded:
		out = append(out, line{spans: m.fit(m.endedText(m.screen.Ended[0]), w)})
	default:
		out = append(out, line{})
	}
	if h >= leastForHints {
		out = append(out, m.rule(w, "", ""))
	}
	return append(out, m.hints(w))
}

// askLine is a question, and how to answer it: that is seen however long the question is.
func (m *model) askLine(w int) line {
	const answers = "y: yes  any other key: no"
	q := look.Cut(m.safe(" "+m.ask.text), max(w-len(answers)-2, w/3), m.paint.Glyph(look.More))
	return line{spans: m.fit([]look.Span{{Text: q + " ", Role: look.Warn}, {Text: answers, Role: look.Key}}, w)}
}

// tail is the end of a typed line, where the cursor is.
func (m *model) tail(s string, width int) string {
	s = m.safe(s)
	for look.Width(s) > max(width, 0) {
		s = string([]rune(s)[1:])
	}
	return s
}

// hints are the keys that work here, as many as fit; quit and help always do.
func (m *model) hints(w int) line {
	spans := []look.Span{{Text: " "}}
	left := w - 1
	last := " q:quit"
	for _, a := range m.actions {
		if a.foot == "" || a.pages&m.page == 0 || a.foot == "quit" {
			continue
		}
		name := strings.Fields(a.Help().Key)[0]
		foot := a.foot
		if m.page == pageLog && foot == "filter" {
			foot = "search"
		}
		n := len(name) + 1 + len(foot) + 1
		if n > left-len(last) {
			break
		}
		left -= n
		spans = append(spans, look.Span{Text: name, Role: look.Key}, look.Span{Text: ":" + foot + " ", Role: look.Dim})
	}
	return line{spans: append(spans, look.Span{Text: "q", Role: look.Key}, look.Span{Text: ":quit", Role: look.Dim})}
}

// header is the head of the list: the daemon, the numbers, the lists.
func (m *model) header(w, h int) []line {
	s := &m.screen
	icon, role := m.paint.Live(s.Live)
	state := []look.Span{{Text: icon + " ", Role: role}}
	switch s.Live {
	case queue.LiveRunning:
		up := look.Span{Text: "up " + look.Duration(m.now.Sub(s.Status.StartedAt)), Role: look.Text}
		state = append(state, up, look.Span{Text: fmt.Sprintf(" %s workers %d/%d", m.paint.Glyph(look.Dot), s.Status.Busy, s.Status.Workers)})
	case queue.LiveHung:
		state = append(state, look.Span{Text: "hung", Role: look.Bad})
	case queue.LiveNotRunning:
		state = append(state, look.Span{Text: "not running", Role: look.Warn})
	case queue.LiveNeverStarted:
		state = append(state, look.Span{Text: "never started", Role: look.Warn})
	default:
		state = []look.Span{{Text: "reading", Role: look.Dim}}
	}
	state = append(state, look.Span{Text: " " + m.paint.Glyph(look.Dot) + " " + m.now.Format(time.TimeOnly) + " ", Role: look.Dim})
	if w < listOnly {
		state = state[:2]
	}
	title := []look.Span{{Text: " hyperctl watch", Role: look.Title}}
	if s.Dir != "" {
		title = append(title, look.Span{Text: " " + m.paint.Glyph(look.Dot) + " " + s.Dir, Role: look.Dim})
	}
	out := []line{m.sides(w, title, state)}
	out = append(out, m.counters(w))
	roomy := h >= heightForDetails && w >= widthForDetails
	if l, there := m.spaceLine(w); there && roomy {
		out = append(out, l)
	}
	if b := m.banner(roomy); b.Text != "" {
		out = append(out, line{spans: m.fit([]look.Span{b}, w)})
	}
	out = append(out, m.tabLine(w))
	if h >= leastForHints {
		out = append(out, m.listRule(w))
	}
	return out
}

// counters are the numbers of jobs, how fast they go, and when there will be none.
func (m *model) counters(w int) line {
	c, s := m.screen.Counts, &m.screen
	var left []look.Span
	add := func(name string, n int, role look.Role) {
		if n == 0 {
			role = look.Dim
		}
		left = append(left, look.Span{Text: fmt.Sprintf(" %s %d ", name, n), Role: role})
	}
	add("Queued", c.Queued, look.Text)
	if c.Waiting > 0 {
		add("Waiting", c.Waiting, look.Warn)
	}
	add("Running", c.Running, look.Busy)
	if w < listOnly {
		add("Failed", c.FailedToday, look.Bad)
		return line{spans: m.fit(left, w)}
	}
	add("Failed today", c.FailedToday, look.Bad)
	add("Done today", c.DoneToday, look.Good)
	var right []look.Span
	if rate := m.rates.mean(); rate > 0 && c.Running > 0 {
		drain := look.ETA(float64(s.Left) / rate)
		if drain != "" {
			sign := "~"
			if s.Vague {
				sign = ">"
			}
			drain = " drained in " + sign + drain + " "
		}
		right = []look.Span{{Text: look.Rate(rate) + " "}, {Text: m.paint.Sparkline(m.rates.all, min(8, max(w-78, 0)+4)), Role: look.Busy}, {Text: drain, Role: look.Dim}}
		if spansWidth(left)+spansWidth(right) > w {
			right = right[:2]
		}
		if spansWidth(left)+spansWidth(right) > w {
			right = nil
		}
	}
	return m.sides(w, left, right)
}

// banner says what stands in the way of all jobs, and what soon may, unless that is shown elsewhere.
func (m *model) banner(roomy bool) look.Span {
	s := &m.screen
	since := func(t time.Time) string { return look.Duration(m.now.Sub(t)) + " ago" }
	warn := " " + m.paint.Glyph(look.Caution) + " "
	switch {
	case !m.loaded:
		return look.Span{}
	case s.Live == queue.LiveNeverStarted:
		return look.Span{Text: warn + "the daemon never ran here: directory view, read-only", Role: look.Warn}
	case s.Live == queue.LiveHung:
		return look.Span{Text: warn + "the daemon hangs: last heartbeat " + since(s.Status.At) + "; see journalctl -u hyper2kvm-workflow", Role: look.Bad}
	case s.Live != queue.LiveRunning && !s.Status.StoppedAt.IsZero():
		return look.Span{Text: warn + "daemon stopped " + since(s.Status.StoppedAt) + ": directory view, read-only", Role: look.Warn}
	case s.Live != queue.LiveRunning:
		return look.Span{Text: warn + "daemon down, last heartbeat " + since(s.Status.At) + ": directory view, read-only", Role: look.Warn}
	case s.Paused != "":
		return look.Span{Text: warn + s.Paused + ": nothing starts until p resumes the queue", Role: look.Warn}
	case len(s.Status.Reasons) > 0:
		return look.Span{Text: warn + s.Status.State + ": " + oneLine(strings.Join(s.Status.Reasons, "; ")), Role: look.Warn}
	case !roomy && m.spaceShort() != "":
		return look.Span{Text: warn + m.spaceShort(), Role: look.Warn}
	case m.opt.ReadOnly:
		return look.Span{Text: " read-only: nothing can be changed from here", Role: look.Dim}
	}
	return look.Span{}
}

// tabLine are the lists, and which one is shown.
func (m *model) tabLine(w int) line {
	var left []look.Span
	for i, t := range tabs {
		n := 0
		for state, of := range m.screen.Tabs {
			for _, want := range t.states {
				if want == state {
					n += of
				}
			}
			if t.states == nil {
				n += of
			}
		}
		role, name := look.Dim, fmt.Sprintf(" %d %s %d ", i+1, t.name, n)
		if i == m.tab {
			role, name = look.Title, fmt.Sprintf(" [%d]%s %d ", i+1, t.name, n)
		}
		left = append(left, look.Span{Text: name, Role: role})
	}
	var right []look.Span
	if n := len(m.marks); n > 0 {
		right = append(right, look.Span{Text: fmt.Sprintf("%d marked ", n), Role: look.Warn})
	}
	if m.query.Filter != "" {
		right = append(right, look.Span{Text: "/" + look.Cut(m.safe(m.query.Filter), max(w/3, 1), m.paint.Glyph(look.More)) + " ", Role: look.Key})
	}
	return m.sides(w, left, right)
}

func (m *model) listRule(w int) line {
	dir := m.paint.Glyph(look.Down)
	if m.query.Reverse {
		dir = m.paint.Glyph(look.Up)
	}
	at := ""
	switch {
	case m.stale:
		at = "reading "
	case m.screen.Total > 0:
		at = fmt.Sprintf("%d of %d ", m.index+1, m.screen.Total)
	}
	return m.rule(w, "jobs", at+"by "+string(m.query.Order)+" "+dir)
}

// endedText tells how a job ended.
func (m *model) endedText(j queue.Job) []look.Span {
	icon, role := m.stateIcon(j)
	out := []look.Span{{Text: " " + icon + " ", Role: role}, {Text: j.Name}}
	state := string(j.State)
	if warned(j) {
		state, _ = stageCell(m, j, 0)
		state = "done with " + state
	}
	if j.FinishedAt != nil {
		out = append(out, look.Span{Text: " " + state + " " + j.FinishedAt.Format(time.TimeOnly), Role: look.Dim})
	}
	switch {
	case j.State == queue.Failed:
		out = append(out, look.Span{Text: " " + j.Code + " " + oneLine(j.Reason), Role: look.Dim})
	case j.OutputDir != "":
		out = append(out, look.Span{Text: " " + m.paint.Glyph(look.Arrow) + " " + j.OutputDir, Role: look.Dim})
	}
	return out
}

// oneLine is running text of several lines as one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// nameOf is the name of a job, for titles.
func nameOf(d jobs.Detail) string {
	if d.Job.Name == "" {
		return "no job"
	}
	return d.Job.Name
}
