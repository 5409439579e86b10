package tui

import (
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// The sizes of the screen from which the list shares it.
const (
	heightForLog     = 20  // with the end of the log
	heightForDetails = 30  // with details
	widthForDetails  = 100 // beside the log; a narrower screen has the log only
	heightForEnded   = 36  // with the jobs that ended last
)

// listView is the list, and below it what there is room for.
func (m *model) listView(w, h int) []line {
	head, foot := m.header(w, h), m.foot(w, h)
	room := h - len(head) - len(foot)
	var below []line
	switch {
	case h >= heightForDetails:
		below = m.panes(w, h/2-2)
		if h >= heightForEnded && len(m.screen.Ended) > 0 {
			below = append(below, m.rule(w, "ended last", ""))
			for _, j := range m.screen.Ended {
				below = append(below, line{spans: m.fit(m.endedText(j), w)})
			}
		}
	case h >= heightForLog:
		below = m.logStrip(w, 4+(h-heightForLog)/2)
	}
	m.rowsTop = len(head) + 1
	out := append(slices.Clone(head), m.tableLines(w, room-len(below))...)
	for len(out) < h-len(foot)-len(below) {
		out = append(out, line{})
	}
	out = append(out[:max(min(len(out), h-len(foot)-len(below)), 0)], below...)
	return append(out, foot...)
}

// logStrip is the end of the log of the job under the cursor.
func (m *model) logStrip(w, h int) []line {
	out := []line{m.rule(w, "log "+m.paint.Glyph(look.Dot)+" "+nameOf(m.detail), "l: more")}
	return append(out, m.logEnd(w, h-1)...)
}

func (m *model) logEnd(w, h int) []line {
	all := m.logLines()
	if len(all) == 0 {
		return []line{text(look.Dim, " "+m.noLog())}
	}
	var out []line
	for _, s := range all[max(len(all)-h, 0):] {
		out = append(out, line{spans: m.fit([]look.Span{{Text: " "}, m.logSpan(s)}, w)})
	}
	return out
}

// panes are details and log side by side, or the log alone on a narrow screen.
func (m *model) panes(w, h int) []line {
	if w < widthForDetails {
		return m.logStrip(w, h)
	}
	lw := w/2 - 1
	rw := w - lw - 1
	left := append([]line{m.rule(lw, "details "+m.paint.Glyph(look.Dot)+" "+nameOf(m.detail), "enter: more")}, m.details(lw)...)
	right := m.logStrip(rw, h)
	out := make([]line, 0, h)
	for i := range h {
		var l, r line
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		spans := m.fit(l.spans, lw)
		spans = append(spans, look.Span{Text: look.Blank(lw - spansWidth(spans))}, look.Span{Text: m.bar(), Role: look.Dim})
		out = append(out, line{spans: append(spans, r.spans...)})
	}
	return out
}

func (m *model) bar() string {
	if m.opt.UTF8 {
		return "│"
	}
	return "|"
}

// pageView is a page of text about one job, or the help.
func (m *model) pageView(w, h int) []line {
	title, right := nameOf(m.detail), m.now.Format("15:04:05")
	var body []line
	switch m.page {
	case pageHelp:
		title, body = "help", m.help(w)
	case pageError:
		title += " " + m.paint.Glyph(look.Dot) + " error"
		body = m.errorText(w)
	case pageLog:
		title += " " + m.paint.Glyph(look.Dot) + " log"
	default:
		body = m.details(w)
	}
	head := []line{m.sides(w, []look.Span{{Text: " hyperctl watch " + m.paint.Glyph(look.Dot) + " ", Role: look.Dim}, {Text: title, Role: look.Title}}, []look.Span{{Text: right + " ", Role: look.Dim}})}
	foot := m.foot(w, h)
	room := h - len(head) - 1 - len(foot)
	if m.page == pageLog {
		var where string
		body, where = m.logPage(w, room)
		head = append(head, m.rule(w, "", where))
	} else {
		where := ""
		if len(body) > room {
			m.scroll = min(m.scroll, len(body)-room)
			where = fmt.Sprintf("%d-%d of %d", m.scroll+1, m.scroll+room, len(body))
			body = body[m.scroll:]
		} else {
			m.scroll = 0
		}
		head = append(head, m.rule(w, "", where))
	}
	out := head
	for i := range max(room, 0) {
		var l line
		if i < len(body) {
			l = body[i]
		}
		out = append(out, l)
	}
	return append(out, foot...)
}

// help is the list of the keys that are handled.
func (m *model) help(w int) []line {
	out := []line{text(look.Text, " Jobs go on whether this is open or not. A filter holds for all lists."), {}}
	for _, a := range m.actions {
		h := a.Help()
		for i, l := range look.Wrap(h.Desc, max(w-13, 8)) {
			name := h.Key
			if i > 0 {
				name = ""
			}
			out = append(out, line{spans: []look.Span{{Text: " " + look.Left(name, 10, "") + " ", Role: look.Key}, {Text: l}}})
		}
	}
	out = append(out, line{}, text(look.Title, " Icons"))
	for _, s := range []queue.State{queue.Queued, queue.Waiting, queue.Running, queue.Done, queue.Failed, queue.Ignored} {
		icon, role := m.paint.State(s)
		out = append(out, line{spans: []look.Span{{Text: " " + icon + " ", Role: role}, {Text: string(s)}}})
		if s == queue.Done {
			out = append(out, line{spans: []look.Span{{Text: " " + m.paint.Glyph(look.Caution) + " ", Role: look.Warn}, {Text: "done, with warnings: enter tells them"}}})
		}
	}
	return out
}

// pathText is what y copies.
func (m *model) pathText() string {
	if m.note.path != "" && m.now.Before(m.note.until) {
		return m.note.path
	}
	j, ok := m.current()
	switch {
	case !ok:
		return ""
	case j.State == queue.Done && j.OutputDir != "":
		return j.OutputDir
	}
	return j.Path
}

// commandText is what Y copies.
func (m *model) commandText() string {
	j, ok := m.current()
	if !ok {
		return ""
	}
	key := j.ID
	if key == "" {
		key = j.Name
	}
	return "hyperctl --workflow-dir " + quote(m.screen.Dir) + " workflow show " + quote(key)
}

// quote writes s as one word for the shell.
func quote(s string) string {
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@+%", r)
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
