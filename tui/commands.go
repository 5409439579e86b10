package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	osc52 "github.com/aymanbagabas/go-osc52/v2"
	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// lookGap is the least time between two looks: ten a second, as many as there are redraws.
const lookGap = 100 * time.Millisecond

// The messages of the commands.
type (
	wakeMsg      time.Time
	lookAgainMsg struct{}
	lookMsg      struct {
		at     time.Time
		asked  jobs.Query
		screen jobs.Screen
		detail jobs.Detail
		log    jobs.Log
		logOf  string
		err    error
	}
	createdMsg struct {
		said string
		err  error
	}
	bundledMsg struct {
		path string
		err  error
	}
	markedMsg struct {
		asked jobs.Query
		rows  []queue.Job
		total int
		err   error
	}
	doneMsg struct {
		verb   string
		done   int
		answer string // of the last that was done
		errs   []error
		marked bool
	}
)

// moved says whether the cursor or the list changed since a look was asked for.
func (msg lookMsg) moved(m *model) bool {
	return msg.asked.Index != m.index || msg.asked.Cursor != m.cursor || msg.asked.Filter != m.query.Filter || msg.asked.Order != m.query.Order ||
		msg.asked.Reverse != m.query.Reverse || !slices.Equal(msg.asked.States, tabs[m.tab].states)
}

// listen waits until a look is due.
func (m *model) listen() tea.Cmd {
	wake, now, done := m.wake, m.opt.Now, m.ctx.Done()
	return func() tea.Msg {
		select {
		case _, ok := <-wake:
			if !ok {
				return nil
			}
			return wakeMsg(now())
		case <-done:
			return nil
		}
	}
}

// look reads what the screen shows. While one look is under way, only one more is kept in mind.
func (m *model) look() tea.Cmd {
	if m.looking {
		m.again = true
		return nil
	}
	m.looking, m.again = true, false
	q := m.query
	q.States, q.Cursor, q.Index, q.Rows = tabs[m.tab].states, m.cursor, m.index, 2*max(m.height, 10)
	src, ctx, now, old, oldOf := m.opt.Source, m.ctx, m.opt.Now, m.log, m.logOf
	return func() tea.Msg {
		msg := lookMsg{asked: q}
		msg.screen, msg.err = src.Look(ctx, q)
		msg.at = now()
		at := msg.screen.Cursor - msg.screen.First
		if msg.err != nil || at < 0 || at >= len(msg.screen.Rows) {
			return msg
		}
		row := msg.screen.Rows[at]
		var err error
		if msg.detail, err = src.Detail(ctx, jobs.RefOf(row)); err != nil {
			msg.detail = jobs.Detail{Job: row} // it moved on: the next look finds it
		}
		msg.logOf = msg.detail.Job.LogPath
		if msg.logOf != oldOf {
			old = jobs.Log{}
		}
		if msg.log, err = src.Log(ctx, msg.logOf, old); err != nil {
			msg.log = jobs.Log{Lines: []string{"the log cannot be read: " + err.Error()}}
		}
		return msg
	}
}

// rest keeps the gap between two looks.
func (m *model) rest() tea.Cmd {
	if !m.again {
		m.looking = false
		return nil
	}
	return tea.Tick(lookGap, func(time.Time) tea.Msg { return lookAgainMsg{} })
}

// do asks for the same thing about several jobs, one after the other.
func (m *model) do(verb string, marked bool, refs ...jobs.Ref) tea.Cmd {
	src, ctx := m.opt.Source, m.ctx
	m.say(look.Dim, verb+" ...")
	return func() tea.Msg {
		msg := doneMsg{verb: verb, marked: marked}
		for _, r := range refs {
			answer, err := src.Do(ctx, verb, r)
			if ctx.Err() != nil {
				break
			}
			if err != nil {
				msg.errs = append(msg.errs, fmt.Errorf("%s: %w", r.Name, err))
				continue
			}
			msg.done, msg.answer = msg.done+1, answer
			if r.Name != "" {
				msg.answer = r.Name + ": " + answer
			}
		}
		return msg
	}
}

// did tells what came of it.
func (m *model) did(msg doneMsg) {
	if msg.marked {
		clear(m.marks)
	}
	switch {
	case len(msg.errs) > 0 && msg.done > 0:
		m.say(look.Warn, fmt.Sprintf("%s: %d done, %d refused; the first: %v", msg.verb, msg.done, len(msg.errs), msg.errs[0]))
	case len(msg.errs) > 1:
		m.say(look.Bad, fmt.Sprintf("%s: %d refused; the first: %v", msg.verb, len(msg.errs), msg.errs[0]))
	case len(msg.errs) > 0:
		m.say(look.Bad, msg.verb+" refused: "+msg.errs[0].Error())
	case msg.done > 1:
		m.say(look.Good, fmt.Sprintf("%s: %d jobs", msg.verb, msg.done))
	default:
		m.say(look.Good, msg.answer)
	}
}

// chosen are the marked jobs, else the one under the cursor.
func (m *model) chosen() (refs []jobs.Ref, marked bool) {
	if len(m.marks) == 0 {
		if j, ok := m.current(); ok {
			refs = []jobs.Ref{jobs.RefOf(j)}
		}
		return refs, false
	}
	for _, r := range m.marks {
		refs = append(refs, r)
	}
	slices.SortFunc(refs, func(a, b jobs.Ref) int { return strings.Compare(a.Path, b.Path) })
	return refs, true
}

// request asks for something about the chosen jobs. What stops a job, and what is done to several, is confirmed first.
func (m *model) request(verb string, states ...queue.State) tea.Cmd {
	if why := m.refusal(); why != "" {
		m.say(look.Warn, "cannot "+verb+": "+why)
		return nil
	}
	if m.stale {
		m.say(look.Warn, "the list was still being read: press it again")
		return nil
	}
	refs, marked := m.chosen()
	if len(refs) == 0 {
		m.say(look.Warn, "there is no job to "+verb)
		return nil
	}
	if j, _ := m.current(); !marked && !slices.Contains(states, j.State) {
		if strings.HasPrefix(verb, queue.VerbPriority) {
			verb = "give " + verb + " to"
		}
		m.say(look.Warn, fmt.Sprintf("cannot %s %s: it is %s", verb, j.Name, j.State))
		return nil
	}
	if !marked && verb != queue.VerbCancel {
		return m.do(verb, false, refs...)
	}
	what := refs[0].Name
	if marked {
		what = fmt.Sprintf("%d marked jobs", len(refs))
		if len(refs) == 1 {
			what = "the marked job " + refs[0].Name
		}
	}
	m.ask = &question{fmt.Sprintf("%s %s?", verb, what), func() tea.Cmd { return m.do(verb, marked, refs...) }}
	return nil
}

// pause stops or starts the queue.
func (m *model) pause() tea.Cmd {
	verb := queue.VerbPause
	if m.screen.Paused != "" {
		verb = queue.VerbResume
	}
	if why := m.refusal(); why != "" {
		m.say(look.Warn, "cannot "+verb+": "+why)
		return nil
	}
	return m.do(verb, false, jobs.Ref{})
}

// copyText hands text to the terminal's clipboard (OSC 52), which also works through ssh.
func (m *model) copyText(text string) tea.Cmd {
	if text == "" {
		return nil
	}
	m.say(look.Good, "copied, if the terminal allows it: "+text)
	seq := osc52.New(text)
	if m.opt.Tmux {
		seq = seq.Tmux()
	}
	out := m.clipboard
	return func() tea.Msg {
		if _, err := seq.WriteTo(out); err != nil {
			return doneMsg{verb: "copy", errs: []error{errors.New("the terminal cannot be written to")}}
		}
		return nil
	}
}

// creation is the wizard as a program that gets the terminal meanwhile.
type creation struct {
	ctx context.Context // it is run by the program, which has no context to give
	do  func(context.Context, string) (string, error)

	entry string
	said  *string // what came of it
}

// Run leads through a new manifest.
func (c creation) Run() error {
	said, err := c.do(c.ctx, c.entry)
	*c.said = said
	return err
}

// SetStdin is ignored: the wizard knows its terminal.
func (creation) SetStdin(io.Reader) {}

// SetStdout is ignored as well.
func (creation) SetStdout(io.Writer) {}

// SetStderr is ignored as well.
func (creation) SetStderr(io.Writer) {}

// editJob opens the wizard with the manifest of the job under the cursor. The job itself stays as it is.
func (m *model) editJob() tea.Cmd {
	j, ok := m.current()
	if !ok {
		return nil
	}
	return m.create(j.Path)
}

// create opens the wizard, with the manifest of an entry or anew.
func (m *model) create(entry string) tea.Cmd {
	switch {
	case m.opt.ReadOnly:
		m.say(look.Warn, "cannot create: this is --read-only")
		return nil
	case m.opt.Create == nil:
		m.say(look.Warn, "cannot create from here: hyperctl manifest create")
		return nil
	}
	said := new(string)
	return tea.Exec(creation{m.ctx, m.opt.Create, entry, said}, func(err error) tea.Msg { return createdMsg{*said, err} })
}

// created tells what came of it.
func (m *model) created(msg createdMsg) {
	switch {
	case msg.err != nil:
		m.say(look.Bad, "create: "+msg.err.Error())
	case msg.said != "":
		m.say(look.Good, msg.said)
	}
}
