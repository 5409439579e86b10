package tui

import (
	"fmt"
	"strings"
	"time"

	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// column is one column of the list. With width 0 it takes what is left.
type column struct {
	title string
	width int
	right bool
	least int // columns of the screen below which it is left out
	cell  func(m *model, j queue.Job, width int) (string, look.Role)
}

// columns in their order. The documented order in which they give way: BY below 120 columns, KIND and SIZE below 100, RATE below
// 76, AGE below 66; below 60 only the name and the percent are left.
var columns = []column{
	{"NAME", 0, false, 0, func(_ *model, j queue.Job, _ int) (string, look.Role) { return j.Name, look.Text }},
	{"KIND", 8, false, 100, func(_ *model, j queue.Job, _ int) (string, look.Role) { return j.Kind, look.Dim }},
	{"SIZE", 9, true, 100, func(_ *model, j queue.Job, _ int) (string, look.Role) {
		if j.Size == 0 {
			return "", look.Dim
		}
		return look.Bytes(j.Size), look.Dim
	}},
	{"STAGE", 12, false, listOnly, stageCell},
	{"PROGRESS", -1, false, listOnly, progressCell},
	{"", 4, true, 0, percentCell},
	{"RATE", 9, true, 76, func(_ *model, j queue.Job, _ int) (string, look.Role) {
		if j.State != queue.Running || j.Progress == nil {
			return "", look.Dim
		}
		return look.Rate(j.Progress.BytesPerSec), look.Text
	}},
	{"ETA", 7, true, listOnly, func(_ *model, j queue.Job, _ int) (string, look.Role) {
		if j.State != queue.Running || j.Progress == nil || j.Progress.BytesTotal == 0 {
			return "", look.Dim
		}
		return look.ETA(j.Progress.ETASeconds), look.Text
	}},
	{"AGE", 7, true, 66, func(m *model, j queue.Job, _ int) (string, look.Role) { return m.age(j), look.Dim }},
	{"BY", 10, false, 120, func(m *model, j queue.Job, _ int) (string, look.Role) {
		name, _, _ := strings.Cut(m.by(j), " (") // the number stands in the details
		return name, look.Dim
	}},
}

// by is who handed a job in; "" when that is not known.
func (m *model) by(j queue.Job) string {
	if j.Submitter == nil {
		return ""
	}
	if m.opt.User == nil {
		return fmt.Sprintf("user %d", *j.Submitter)
	}
	name, known := m.users[*j.Submitter]
	if !known {
		name = m.opt.User(*j.Submitter)
		m.users[*j.Submitter] = name
	}
	return name
}

// age is since when a job is in its state.
func (m *model) age(j queue.Job) string {
	for _, t := range []*time.Time{j.FinishedAt, j.StartedAt, j.QueuedAt} {
		if t != nil && !t.IsZero() {
			return ageText(m.now.Sub(*t))
		}
	}
	return ""
}

// ageText is an age to the minute, and in the first one to ten seconds. To the second, each row would be painted anew each second, for
// nobody to read.
func ageText(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "<10s"
	case d < time.Minute:
		return look.Duration(d.Truncate(10 * time.Second))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d/time.Minute))
	}
	return look.Duration(d)
}

func stageCell(m *model, j queue.Job, _ int) (string, look.Role) {
	_, role := m.paint.State(j.State)
	if p := j.Progress; j.State == queue.Running && p != nil && p.StageCount > 0 {
		return fmt.Sprintf("%d/%d %s", p.StageIndex, p.StageCount, p.Stage), role
	}
	if warned(j) {
		if j.Warnings == 1 {
			return "1 warning", look.Warn
		}
		return fmt.Sprintf("%d warnings", j.Warnings), look.Warn
	}
	return string(j.State), role
}

// warned tells whether a job succeeded with something that a person should look at.
func warned(j queue.Job) bool { return j.State == queue.Done && j.Warnings > 0 }

// stateIcon is the icon of a job's state, and its role.
func (m *model) stateIcon(j queue.Job) (string, look.Role) {
	if warned(j) {
		return m.paint.Glyph(look.Caution), look.Warn
	}
	return m.paint.State(j.State)
}

func progressCell(m *model, j queue.Job, width int) (string, look.Role) {
	switch {
	case j.State == queue.Done:
		return m.paint.Bar(1, width), look.Good
	case j.State == queue.Running && j.Progress != nil && j.Progress.BytesTotal > 0:
		return m.paint.Bar(part(j.Progress), width), look.Busy
	case j.State == queue.Running && j.Progress != nil:
		return j.Progress.Message, look.Dim
	}
	return "", look.Dim
}

func percentCell(_ *model, j queue.Job, _ int) (string, look.Role) {
	switch {
	case j.State == queue.Done:
		return "100%", look.Text
	case j.State == queue.Running && j.Progress != nil && j.Progress.BytesTotal > 0:
		return fmt.Sprintf("%d%%", int(100*part(j.Progress))), look.Text
	}
	return "", look.Text
}

// part is how much of the stage is done, 0..1.
func part(p *queue.Progress) float64 {
	if p.BytesTotal <= 0 {
		return 0
	}
	return float64(min(max(p.BytesDone, 0), p.BytesTotal)) / float64(p.BytesTotal)
}

// margin is before the first column: the cursor, the mark, the icon of the state.
const margin = 5

// widths are the widths of the columns on a screen; 0 leaves one out.
func widths(w int) []int {
	out := make([]int, len(columns))
	left, name, bar := w-margin, -1, -1
	for i, c := range columns {
		switch {
		case w < c.least:
		case c.width == 0:
			name = i
		case c.width < 0:
			bar = i
			left--
		default:
			out[i] = c.width
			left -= c.width + 1
		}
	}
	if bar >= 0 {
		out[bar] = min(max((left-1)/2, 6), 26)
		left -= out[bar]
	}
	out[name] = max(left-1, 4)
	return out
}

// tableHead is the line with the titles.
func (m *model) tableHead(w int) line {
	spans := []look.Span{{Text: look.Blank(margin)}}
	for i, n := range widths(w) {
		if n == 0 {
			continue
		}
		title := look.Left(columns[i].title, n, "")
		if columns[i].right {
			title = look.Right(columns[i].title, n, "")
		}
		spans = append(spans, look.Span{Text: title + " ", Role: look.Dim})
	}
	return line{spans: spans}
}

// tableRow is a job. Why it failed or waits stands where its progress would be.
func (m *model) tableRow(j queue.Job, w int, selected bool) line {
	icon, role := m.stateIcon(j)
	more := m.paint.Glyph(look.More)
	front := " "
	if selected {
		front = m.paint.Glyph(look.Cursor)
	}
	mark := " "
	if _, ok := m.marks[j.Path]; ok {
		mark = "*"
	}
	spans := []look.Span{{Text: front, Role: look.Key}, {Text: mark, Role: look.Warn}, {Text: " " + icon + " ", Role: role}}
	sizes := widths(w)
	reason := m.reason(j)
	for i := 0; i < len(columns); i++ {
		n := sizes[i]
		if n == 0 {
			continue
		}
		c := columns[i]
		if reason != "" && c.width < 0 { // it takes the columns up to the age
			for i+1 < len(columns) && columns[i+1].title != "AGE" {
				i++
				if sizes[i] > 0 {
					n += sizes[i] + 1
				}
			}
			spans = append(spans, look.Span{Text: look.Left(m.safe(reason), n, more) + " ", Role: look.Text})
			continue
		}
		s, role := c.cell(m, j, n)
		s = m.safe(s)
		if c.right {
			s = look.Right(s, n, more)
		} else {
			s = look.Left(s, n, more)
		}
		spans = append(spans, look.Span{Text: s + " ", Role: role})
	}
	return line{spans, selected}
}

// reason is why a job does not run, or did not succeed.
func (m *model) reason(j queue.Job) string {
	if j.State == queue.Failed || j.State == queue.Waiting || j.State == queue.Ignored {
		return strings.TrimSpace(j.Code + " " + oneLine(j.Reason))
	}
	return ""
}

// tableLines are the rows that fit into h lines, with the cursor among them.
func (m *model) tableLines(w, h int) []line {
	if h <= 0 {
		return nil
	}
	out := []line{m.tableHead(w)}
	m.rowsAt, m.rowsEnd = 0, 0
	switch {
	case !m.loaded:
		return append(out, text(look.Dim, "   reading "+m.screen.Dir+m.paint.Glyph(look.More)))
	case m.screen.Total == 0 && m.query.Filter != "":
		return append(out, text(look.Dim, "   no job matches /"+m.query.Filter+"   (esc takes the filter back)"))
	case m.screen.Total == 0:
		return append(out, text(look.Dim, "   no jobs here: drop disks into "+m.screen.Dir+"/"+queue.DirQueued))
	}
	h--
	rows := h
	if m.screen.Total > rows && rows > 2 {
		rows--
	}
	first := 0
	if m.screen.Total > rows {
		first = min(max(m.index-rows/2, 0), m.screen.Total-rows)
	}
	m.rowsAt, m.rowsEnd = first, min(first+rows, m.screen.Total)
	for i := first; i < m.rowsEnd; i++ {
		j, ok := m.row(i)
		if !ok {
			out = append(out, text(look.Dim, "   "+m.paint.Glyph(look.More)))
			continue
		}
		out = append(out, m.tableRow(j, w, i == m.index))
	}
	if rows < h {
		rest := m.screen.Total - first - rows
		s := fmt.Sprintf("   %s %d more", m.paint.Glyph(look.More), rest)
		if rest == 0 {
			s = fmt.Sprintf("   %s %d above", m.paint.Glyph(look.More), first)
		}
		if m.screen.More {
			s += ", and older ones on disk"
		}
		out = append(out, text(look.Dim, s))
	}
	return out
}
