package tui

import (
	"fmt"
	"slices"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/tui/look"
)

// maxMarks bounds what a marks: each is a row that is read in full, and a request to the daemon.
const maxMarks = 1000

// markAll marks all jobs of the list that is shown.
func (m *model) markAll() tea.Cmd {
	if m.stale {
		m.say(look.Warn, "the list was still being read: press it again")
		return nil
	}
	q := m.query
	q.States, q.Cursor, q.Index, q.Rows = tabs[m.tab].states, jobs.Ref{}, 0, maxMarks
	src, ctx := m.opt.Source, m.ctx
	m.say(look.Dim, "marking ...")
	return func() tea.Msg {
		s, err := src.Look(ctx, q)
		return markedMsg{q, s.Rows[:min(len(s.Rows), maxMarks)], s.Total, err}
	}
}

// marked takes over the marks, unless the list is another one by now.
func (m *model) marked(msg markedMsg) {
	switch {
	case msg.err != nil:
		m.say(look.Bad, "cannot mark: "+msg.err.Error())
		return
	case msg.asked.Filter != m.query.Filter || !slices.Equal(msg.asked.States, tabs[m.tab].states):
		m.say(look.Dim, "nothing marked: the list is another one now")
		return
	}
	for _, j := range msg.rows {
		m.marks[j.Path] = jobs.RefOf(j)
	}
	if msg.total > len(msg.rows) {
		m.say(look.Warn, fmt.Sprintf("only the first %d of %d are marked", len(msg.rows), msg.total))
		return
	}
	m.say(look.Dim, fmt.Sprintf("%d marked; u takes the marks back", len(msg.rows)))
}

// bundlePatience is how long an archive is shown as being made, and how long y copies its path after that.
const bundlePatience = 2 * time.Minute

// bundle writes a support archive about the chosen jobs.
func (m *model) bundle() tea.Cmd {
	refs, marked := m.chosen()
	switch {
	case m.stale && !marked:
		m.say(look.Warn, "the list was still being read: press it again")
		return nil
	case m.opt.Bundle == nil:
		m.say(look.Warn, "cannot write an archive from here: hyperctl bundle JOB")
		return nil
	case m.bundling:
		m.say(look.Warn, "an archive is being made already")
		return nil
	case len(refs) == 0:
		m.say(look.Warn, "there is no job to write an archive about")
		return nil
	}
	m.bundling = true
	m.say(look.Dim, "writing the support archive; it looks at this host too, which may take a minute ...")
	m.note.until = m.now.Add(bundlePatience)
	do, ctx := m.opt.Bundle, m.ctx
	return func() tea.Msg {
		path, err := do(ctx, refs)
		return bundledMsg{path, err}
	}
}

func (m *model) bundled(msg bundledMsg) {
	m.bundling = false
	if msg.err != nil {
		m.say(look.Bad, "no support archive: "+msg.err.Error())
		return
	}
	m.say(look.Good, "y copies the path of the support archive: "+msg.path)
	m.note.path, m.note.until = msg.path, m.now.Add(bundlePatience)
}

// toggleMouse begins or ends to take what the mouse does. While it is taken, most terminals select text with shift held down.
func (m *model) toggleMouse() tea.Cmd {
	m.mouse = !m.mouse
	if !m.mouse {
		m.say(look.Dim, "the mouse is the terminal's again")
		return tea.DisableMouse
	}
	m.say(look.Dim, "mouse: wheel, click a job, click it again to open it; shift selects text; M gives it back")
	return tea.EnableMouseCellMotion
}

// wheelRows is how far one notch of the wheel goes.
const wheelRows = 3

// moused takes the wheel and clicks on jobs.
func (m *model) moused(msg tea.MouseMsg) tea.Cmd {
	if !m.mouse || m.ask != nil || m.input != nil || msg.Action != tea.MouseActionPress {
		return nil
	}
	switch at := m.rowsAt + msg.Y - m.rowsTop; {
	case msg.Button == tea.MouseButtonWheelUp:
		return m.move(-wheelRows)
	case msg.Button == tea.MouseButtonWheelDown:
		return m.move(wheelRows)
	case msg.Button != tea.MouseButtonLeft || m.page != pageList || m.stale || at < m.rowsAt || at >= m.rowsEnd:
	case at == m.index:
		m.openJob(pageJob)
	default:
		return m.move(at - m.index)
	}
	return nil
}
