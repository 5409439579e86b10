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
	switch j := m.detail.Job; {
	case j.State == "":
		return ""
	case j.State == queue.Queued || j.State == queue.Waiting || j.State == queue.Ignored:
		return "it did not start yet"
	case j.State == queue.Running:
		return "nothing said yet"
	case j.Kind == "batch":
		return "the jobs that it became have logs of their own"
	case j.StartedAt == nil && m.detail.Ended.Stage == "":
		return "it ended before it started"
	}
	return "logs of ended jobs are kept for a while only"
}

// The ways in which the times of a log are shown.
const (
	stampClock = iota
	stampWhole
	stampNone
	stamps
)

// logText is a line of a log as it is shown. The log has RFC 3339 with milliseconds, in UTC.
func (m *model) logText(s string) string {
	at, rest, ok := strings.Cut(s, " ")
	if !ok {
		return s
	}
	t, err := time.Parse(time.RFC3339, at)
	switch {
	case err != nil:
		return s
	case m.stamp == stampNone:
		return rest
	case m.stamp == stampWhole:
		return t.In(m.now.Location()).Format("2006-01-02 15:04:05.000 -0700") + " " + rest
	}
	return t.In(m.now.Location()).Format(time.TimeOnly) + " " + rest
}

// trouble is what a line of a log looks like: an error, a warning, or neither, which is look.Text.
func trouble(s string) look.Role {
	low := strings.ToLower(s)
	switch {
	case strings.Contains(low, "error"), strings.Contains(low, "failed"):
		return look.Bad
	case strings.Contains(low, "warning"):
		return look.Warn
	}
	return look.Text
}

// logSpan shows a line of a log. What was searched for, and what looks like trouble, has a role of its own.
func (m *model) logSpan(s string) look.Span {
	role := trouble(s)
	if m.search != "" && m.found(s) {
		role = look.Key
	}
	return look.Span{Text: m.logText(s), Role: role}
}

// found tells whether a line is one that n goes to: it holds what was searched for, and where nothing was, it looks like trouble.
func (m *model) found(s string) bool {
	if m.search == "" {
		return trouble(s) != look.Text
	}
	return strings.Contains(strings.ToLower(s), strings.ToLower(m.search))
}

// logRows are the rows of the screen that a line of a log takes: one, or as many as it needs where long lines are folded.
func (m *model) logRows(s string, at bool, w int) []line {
	front := look.Span{Text: " "}
	switch {
	case at:
		front = look.Span{Text: m.paint.Glyph(look.Cursor), Role: look.Key}
	case m.search != "" && m.found(s):
		front = look.Span{Text: m.paint.Glyph(look.Dot), Role: look.Key}
	}
	span := m.logSpan(s)
	if !m.folds {
		return []line{{spans: m.fit([]look.Span{front, span}, w)}}
	}
	var out []line
	for rest := m.safe(span.Text); ; {
		head := look.Cut(rest, max(w-look.Width(front.Text), 0), "")
		if head == "" { // nothing is left, or one character is wider than the screen
			head, rest = rest, ""
		}
		out = append(out, line{spans: m.fit([]look.Span{front, {Text: head, Role: span.Role}}, w)})
		if rest = strings.TrimPrefix(rest, head); rest == "" {
			return out
		}
		front = look.Span{Text: "     "}
	}
}

// lastTop is the first line that is shown when the end of the log is.
func (m *model) lastTop(all []string, w, h int) int {
	if !m.folds {
		return max(len(all)-h, 0)
	}
	top := len(all)
	for rows := 0; top > 0; top-- {
		if rows += len(m.logRows(all[top-1], false, w)); rows > h {
			return min(top, len(all)-1)
		}
	}
	return 0
}

// logPage is the log page, and what of the log it shows.
func (m *model) logPage(w, h int) ([]line, string) {
	all := m.logLines()
	if len(all) == 0 {
		return []line{text(look.Dim, " "+m.noLog())}, ""
	}
	last := m.lastTop(all, w, h)
	if m.follow || m.top > last {
		m.top = last
	}
	m.top = max(m.top, 0)
	var out []line
	end := m.top
	for ; end < len(all) && len(out) < h; end++ {
		out = append(out, m.logRows(all[end], end == m.hitAt-1, w)...)
	}
	out = out[:min(len(out), max(h, 0))]
	where := fmt.Sprintf("lines %d-%d of %d", m.top+1, end, len(all))
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
	last := m.lastTop(m.logLines(), m.width, m.logRoom())
	if m.follow {
		m.top = last
	}
	m.top, m.hitAt = min(max(m.top+by, 0), last), 0
	m.follow = m.top == last && by > 0
}

// logRoom is how many lines of the log the page shows.
func (m *model) logRoom() int {
	return max(m.height-2-len(m.foot(m.width, m.height)), 1)
}

func (m *model) holdLog(follow bool) {
	m.top, m.hitAt = m.lastTop(m.logLines(), m.width, m.logRoom()), 0
	m.follow = follow
}

// hit goes to the next line that was searched for, or that looks like trouble, below or above the first one shown; from the end it
// goes on at the other end.
func (m *model) hit(by int) {
	all := m.logLines()
	if len(all) == 0 {
		m.say(look.Dim, "there is no log to search")
		return
	}
	at := m.top
	switch {
	case m.hitAt > 0 && m.hitAt <= len(all):
		at = m.hitAt - 1
	case m.follow && by > 0:
		at = -1
	case m.follow:
		at = len(all)
	}
	for range all {
		at = (at + by + len(all)) % len(all)
		if m.found(all[at]) {
			m.follow = false
			m.top, m.hitAt = at, at+1
			return
		}
	}
	if m.search == "" {
		m.say(look.Dim, "there is no error and no warning in the log; / searches for other words")
		return
	}
	m.say(look.Warn, fmt.Sprintf("%q is not in the log", m.search))
}
