package tui

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// action is a key and what it does. The help is printed from the same list that the keys are looked up in.
type action struct {
	key.Binding
	pages page   // on which it works
	foot  string // in the line at the foot of the screen; "" = only in the help
	do    func(*model) tea.Cmd
}

const (
	pageTexts = pageJob | pageError | pageHelp
	pageOfJob = pageList | pageJob | pageError | pageLog
	pageAny   = pageOfJob | pageHelp
)

func bind(keys, shown, help string, pages page, foot string, do func(*model) tea.Cmd) action {
	return action{key.NewBinding(key.WithKeys(strings.Fields(keys)...), key.WithHelp(shown, help)), pages, foot, do}
}

// prioritise asks for a priority of the chosen jobs.
func prioritise(word string) func(*model) tea.Cmd {
	return func(m *model) tea.Cmd { return m.request(queue.VerbPriority+" "+word, queue.Queued, queue.Waiting) }
}

// does is an action that changes the model only.
func does(f func(*model)) func(*model) tea.Cmd {
	return func(m *model) tea.Cmd { f(m); return nil }
}

func actions() []action {
	list := []action{
		bind("?", "?", "this help; again to leave it", pageAny, "help", does((*model).toggleHelp)),
		bind("/", "/", "filter: text, !text, state:failed, several words; in the log: search", pageList|pageLog, "filter", does((*model).type_)),
		bind("enter", "enter", "details: stages, source, output", pageList, "open", does(func(m *model) { m.openJob(pageJob) })),
		bind("esc backspace", "esc", "back; on the list: take back the filter, then the marks", pageAny, "back", (*model).back),
		bind("l", "l", "log of the job", pageOfJob&^pageLog, "log", does(func(m *model) { m.openJob(pageLog) })),
		bind("e", "e", "error: what happened, what to try", pageOfJob&^pageError, "error", does((*model).openError)),
		bind("r", "r", "retry failed jobs, from the start", pageOfJob, "retry", func(m *model) tea.Cmd { return m.request(queue.VerbRetry, queue.Failed) }),
		bind("x", "x", "cancel jobs (asks first)", pageOfJob, "cancel", func(m *model) tea.Cmd {
			return m.request(queue.VerbCancel, queue.Running, queue.Queued, queue.Waiting)
		}),
		bind("p", "p", "pause the queue, or resume it", pageList, "pause", (*model).pause),
		bind("R", "R", "release an entry that is held: let it run by itself", pageOfJob, "", func(m *model) tea.Cmd {
			return m.request(queue.VerbRelease, queue.Waiting)
		}),
		bind("+", "+", "start before the others: priority high", pageOfJob, "", prioritise("high")),
		bind("-", "-", "start after the others: priority low", pageOfJob, "", prioritise("low")),
		bind("=", "=", "start in its turn: priority normal", pageOfJob, "", prioritise("normal")),
		bind("space", "space", "mark the job; r, x, + and - then mean all marked ones, b too", pageList, "mark", (*model).mark),
		bind("a", "a", "mark all jobs of this list and filter", pageList, "", (*model).markAll),
		bind("u", "u", "take back all marks", pageList, "", does(func(m *model) { clear(m.marks) })),
		bind("s", "s", "sort by state, name, age, size", pageList, "sort", (*model).sort),
		bind("S", "S", "turn the order around", pageList, "", func(m *model) tea.Cmd { m.query.Reverse = !m.query.Reverse; return m.relist(true) }),
		bind("n", "n", "new manifest: the wizard; comes back here", pageOfJob&^pageLog, "new", func(m *model) tea.Cmd { return m.create("") }),
		bind("E", "E", "edit the manifest of this job in the wizard, for a new job", pageOfJob, "", (*model).editJob),
		bind("up k", "up k", "up", pageAny, "", func(m *model) tea.Cmd { return m.move(-1) }),
		bind("down j", "down j", "down", pageAny, "", func(m *model) tea.Cmd { return m.move(1) }),
		bind("pgup ctrl+b", "PgUp", "a screen up", pageAny, "", func(m *model) tea.Cmd { return m.move(-m.leap()) }),
		bind("pgdown ctrl+f", "PgDn", "a screen down", pageAny, "", func(m *model) tea.Cmd { return m.move(m.leap()) }),
		bind("home g", "Home g", "to the first", pageAny, "", func(m *model) tea.Cmd { return m.move(-m.farthest()) }),
		bind("end G", "End G", "to the last; in the log: follow it", pageAny, "", func(m *model) tea.Cmd { return m.move(m.farthest()) }),
		bind("f", "f", "follow the log, or stop following", pageLog, "follow", does(func(m *model) { m.holdLog(!m.follow) })),
		bind("n", "n", "next line that the search found; without one, next error or warning", pageLog, "next", does(func(m *model) { m.hit(1) })),
		bind("N", "N", "the one before", pageLog, "", does(func(m *model) { m.hit(-1) })),
		bind("t", "t", "times: of the day, whole, none", pageLog, "times", does(func(m *model) { m.stamp = (m.stamp + 1) % stamps })),
		bind("w", "w", "long lines: fold or cut them", pageLog, "wrap", does(func(m *model) { m.folds = !m.folds })),
		bind("y", "y", "copy the path: of the output, else of the entry; after b, of the archive", pageOfJob, "copy", func(m *model) tea.Cmd { return m.copyText(m.pathText()) }),
		bind("Y", "Y", "copy the command that shows this job", pageOfJob, "", func(m *model) tea.Cmd { return m.copyText(m.commandText()) }),
		bind("b", "b", "support archive of the job: versions, settings, checks, its records and its log", pageOfJob, "bundle", (*model).bundle),
		bind("M", "M", "use the mouse, or leave it to the terminal: wheel, click a job, click it again to open it", pageAny, "", (*model).toggleMouse),
		bind("T", "T", "next theme", pageAny, "", does((*model).nextTheme)),
		bind("ctrl+l", "ctrl+l", "paint the screen anew", pageAny, "", func(*model) tea.Cmd { return tea.ClearScreen }),
		bind("ctrl+z", "ctrl+z", "to the shell; fg comes back", pageAny, "", func(*model) tea.Cmd { return tea.Suspend }),
		bind("q ctrl+c", "q", "quit; jobs go on", pageAny, "quit", func(*model) tea.Cmd { return tea.Quit }),
	}
	for i, t := range tabs {
		n := string(rune('1' + i))
		list = append(list, bind(n, n, "jobs: "+strings.ToLower(t.name), pageList, "", func(m *model) tea.Cmd { return m.choose(i) }))
	}
	return append(list,
		bind("] tab", "] tab", "next list", pageList, "", func(m *model) tea.Cmd { return m.choose((m.tab + 1) % len(tabs)) }),
		bind("[ shift+tab", "[", "list before", pageList, "", func(m *model) tea.Cmd { return m.choose((m.tab + len(tabs) - 1) % len(tabs)) }))
}

// keysOf takes keys apart that came in one piece: Bubble Tea gathers letters that arrive together, which is what fast fingers and
// slow lines make of several keys. What is pasted is text, and means nothing where none is typed.
func (m *model) keysOf(msg tea.KeyMsg) tea.Cmd {
	if msg.Alt { // no key here has Alt: it is Esc and another key in one piece
		msg.Alt = false
		return tea.Batch(m.key(tea.KeyMsg{Type: tea.KeyEsc}), m.keysOf(msg))
	}
	if msg.Type != tea.KeyRunes || len(msg.Runes) < 2 || msg.Paste {
		return m.key(msg)
	}
	var all []tea.Cmd
	for _, r := range msg.Runes {
		one := msg
		if one.Runes = []rune{r}; r == ' ' {
			one.Type = tea.KeySpace
		}
		all = append(all, m.key(one))
	}
	return tea.Batch(all...)
}

// key finds out what a key means here.
func (m *model) key(msg tea.KeyMsg) tea.Cmd {
	switch {
	case msg.Paste && m.input == nil:
		return nil
	case m.ask != nil:
		return m.answer(msg)
	case m.input != nil:
		return m.typed(msg)
	}
	for _, a := range m.actions {
		if a.pages&m.page != 0 && (key.Matches(msg, a.Binding) || msg.Type == tea.KeySpace && a.Keys()[0] == "space") {
			return a.do(m)
		}
	}
	return nil
}

// answer takes the answer to a question: y is yes, everything else no.
func (m *model) answer(msg tea.KeyMsg) tea.Cmd {
	q := m.ask
	m.ask = nil
	switch msg.String() {
	case "y", "Y":
		return q.yes()
	case "ctrl+c":
		return tea.Quit
	}
	m.say(look.Dim, "nothing done")
	return nil
}

// maxInput bounds a typed line; a paste may be long.
const maxInput = 200

// typed takes a key of the line being typed. A filter works while it is typed.
func (m *model) typed(msg tea.KeyMsg) tea.Cmd {
	in := m.input
	switch msg.Type {
	case tea.KeyCtrlC:
		return tea.Quit
	case tea.KeyEsc:
		in.text = ""
		m.input = nil
	case tea.KeyEnter:
		m.input = nil
		if in.search {
			m.search, m.hitAt = in.text, 0
			m.hit(-1)
			return nil
		}
	case tea.KeyBackspace:
		_, n := utf8.DecodeLastRuneInString(in.text)
		in.text = in.text[:len(in.text)-n]
	case tea.KeyCtrlU:
		in.text = ""
	case tea.KeySpace, tea.KeyRunes:
		if len(in.text)+len(string(msg.Runes)) <= maxInput {
			in.text += string(msg.Runes)
		}
	default:
		return nil
	}
	if in.search {
		m.search, m.hitAt = in.text, 0
		return nil
	}
	m.query.Filter = in.text
	return m.relist(false)
}

func (m *model) type_() {
	m.input = &input{search: m.page == pageLog}
	if !m.input.search {
		m.input.text = m.query.Filter
	}
}

func (m *model) toggleHelp() {
	if m.page == pageHelp {
		m.back()
		return
	}
	m.open(pageHelp)
}

func (m *model) openJob(p page) {
	if _, ok := m.current(); ok {
		m.open(p)
	}
}

func (m *model) openError() {
	j, ok := m.current()
	switch {
	case !ok:
	case j.State == queue.Failed, j.State == queue.Waiting, j.State == queue.Ignored:
		m.open(pageError)
	default:
		m.say(look.Dim, j.Name+" has no error: it is "+string(j.State))
	}
}

func (m *model) choose(tab int) tea.Cmd {
	m.tab = tab
	return m.relist(false)
}

func (m *model) sort() tea.Cmd {
	for i, o := range jobs.Orders {
		if o == m.query.Order {
			m.query.Order = jobs.Orders[(i+1)%len(jobs.Orders)]
			break
		}
	}
	m.query.Reverse = false
	return m.relist(true)
}

func (m *model) mark() tea.Cmd {
	j, ok := m.current()
	if !ok {
		return nil
	}
	if _, marked := m.marks[j.Path]; marked {
		delete(m.marks, j.Path)
	} else {
		m.marks[j.Path] = jobs.RefOf(j)
	}
	return m.move(1)
}

func (m *model) nextTheme() {
	for i, t := range look.Themes {
		if t != m.paint.Theme {
			continue
		}
		if p, err := look.NewPainter(look.Themes[(i+1)%len(look.Themes)], m.profile, m.opt.UTF8); err == nil {
			m.paint = p
			m.say(look.Dim, "theme "+p.Theme+": --theme "+p.Theme+" keeps it")
		}
		return
	}
}

// leap is how far a screen goes.
func (m *model) leap() int { return max(m.height-8, 1) }

// farthest is further than anything.
func (m *model) farthest() int { return max(m.screen.Total, len(m.log.Lines), 1000) }
