package tui

import (
	"fmt"
	"strings"
	"time"

	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// logLines is the log of the job under the cursor, once it has been read.
func (m *model) logLines() []string {
	if m.logOf != m.detail.Job.LogPath || m.logOf == "" {
		return nil
	}
	return m.log.Lines
}

// noLog says why there is none.
func (m *model) noLog() string {
	switch m.detail.Job.State {
	case "":
		return ""
	case queue.Queued, queue.Waiting, queue.Ignored:
		return "it did not start yet"
	case queue.Running:
		return "nothing said yet"
	}
	return "logs of ended jobs are kept for a while only"
}

// logSpan shows a line of a log. What was searched for, and what looks like trouble, has a role of its own.
func (m *model) logSpan(s string) look.Span {
	hit, low := m.found(s), strings.ToLower(s)
	if at, rest, ok := strings.Cut(s, " "); ok { // the log has RFC 3339 with milliseconds, in UTC
		if t, err := time.Parse(time.RFC3339, at); err == nil {
			s = t.In(m.now.Location()).Format(time.TimeOnly) + " " + rest
		}
	}
	switch {
	case hit:
		return look.Span{Text: s, Role: look.Key}
	case strings.Contains(low, "error"), strings.Contains(low, "failed"):
		return look.Span{Text: s, Role: look.Bad}
	case strings.Contains(low, "warning"):
		return look.Span{Text: s, Role: look.Warn}
	}
	return look.Span{Text: s}
}

func (m *model) found(s string) bool {
	return m.search != "" && strings.Contains(strings.ToLower(s), strings.ToLower(m.search))
}

// logPage is the log page, and what of the log it shows.
func (m *model) logPage(w, h int) ([]line, string) {
	all := m.logLines()
	if len(all) == 0 {
		return []line{text(look.Dim, " "+m.noLog())}, ""
	}
	last := max(len(all)-h, 0)
	if m.follow || m.top > last {
		m.top = last
	}
	m.top = max(m.top, 0)
	var out []line
	for _, s := range all[m.top:min(m.top+max(h, 0), len(all))] {
		front := look.Span{Text: " "}
		if m.found(s) {
			front = look.Span{Text: m.paint.Glyph(look.Cursor), Role: look.Key}
		}
		out = append(out, line{spans: m.fit([]look.Span{front, m.logSpan(s)}, w)})
	}
	where := fmt.Sprintf("lines %d-%d of %d", m.top+1, m.top+len(out), len(all))
	if m.log.Cut {
		where += " (the end of a longer log)"
	}
	if m.search != "" {
		where += fmt.Sprintf(" %s %d with %q", m.paint.Glyph(look.Dot), m.hits(all), m.search)
	}
	if m.follow {
		where += " " + m.paint.Glyph(look.Dot) + " following"
	}
	return out, where
}

func (m *model) hits(all []string) int {
	n := 0
	for _, s := range all {
		if m.found(s) {
			n++
		}
	}
	return n
}

// scrollLog moves in the log. At its end it is followed again.
func (m *model) scrollLog(by int) {
	last := max(len(m.logLines())-m.logRoom(), 0)
	if m.follow {
		m.top = last
	}
	m.top = min(max(m.top+by, 0), last)
	m.follow = m.top == last && by > 0
}

// logRoom is how many lines of the log the page shows.
func (m *model) logRoom() int {
	return max(m.height-2-len(m.foot(m.width, m.height)), 1)
}

func (m *model) holdLog(follow bool) {
	m.top = max(len(m.logLines())-m.logRoom(), 0)
	m.follow = follow
}

// hit goes to the next line that was searched for, below or above the first one shown; from the end it goes on at the other end.
func (m *model) hit(by int) {
	all := m.logLines()
	if m.search == "" || len(all) == 0 {
		m.say(look.Dim, "nothing to search: / begins")
		return
	}
	at := m.top
	if m.follow {
		at = len(all)
		if by > 0 {
			at = -1
		}
	}
	for range all {
		at = (at + by + len(all)) % len(all)
		if m.found(all[at]) {
			m.follow = false
			m.top = at
			return
		}
	}
	m.say(look.Warn, fmt.Sprintf("%q is not in the log", m.search))
}
