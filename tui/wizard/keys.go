package wizard

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/tui/look"
)

// action is a key and what it does. The help is printed from the same list that the keys are looked up in.
type action struct {
	key.Binding
	pages page   // on which it works
	foot  string // in the line at the foot of the screen; "" = only in the help
	do    func(*model) tea.Cmd
}

func bind(keys, shown, help string, pages page, foot string, do func(*model) tea.Cmd) action {
	return action{key.NewBinding(key.WithKeys(strings.Fields(keys)...), key.WithHelp(shown, help)), pages, foot, do}
}

// does is an action that changes the model only.
func does(f func(*model)) func(*model) tea.Cmd {
	return func(m *model) tea.Cmd { f(m); return nil }
}

func actions() []action {
	list := []action{
		bind("?", "?", "this help; again to leave it", pageAny, "help", does((*model).toggleHelp)),
		bind("y", "y", "take up the draft", pageDraft, "take it up", does(func(m *model) { m.takeDraft(true) })),
		bind("n", "n", "begin anew; the draft goes with the first answer", pageDraft, "begin anew", does(func(m *model) { m.takeDraft(false) })),
		bind("tab", "tab", "to the next step, when nothing is wrong with this one", pageSteps, "next", does((*model).nextStep)),
		bind("shift+tab", "shift+tab", "back to the step before; nothing is lost", pageSteps, "back", does((*model).stepBack)),
		bind("enter", "enter", "give the answer", pageFields, "answer", (*model).edit),
		bind("space", "space", "switch on or off, next of several words", pageFields, "on/off", func(m *model) tea.Cmd { return m.turn(1) }),
		bind("left h", "left h", "the word before", pageFields, "", func(m *model) tea.Cmd { return m.turn(-1) }),
		bind("right l", "right l", "the next word", pageFields, "", func(m *model) tea.Cmd { return m.turn(1) }),
		bind("d delete", "d", "take the answer back: the default holds again", pageFields, "default", does((*model).unset)),
		bind("b", "b", "choose a file; again for the answers of this step", pageSource|pageFiles, "files", does((*model).toggleFiles)),
		bind("enter", "enter", "open the folder, or take the file as the source", pageFiles, "open", (*model).openEntry),
		bind("right l", "right l", "the same", pageFiles, "", (*model).openEntry),
		bind("left h backspace", "left h", "to the folder above", pageFiles, "up", func(m *model) tea.Cmd { return m.list(parent(m.files.dir)) }),
		bind("space", "space", "add the file to the VM's disks, or take it out; the boot disk is the first", pageFiles, "disk", (*model).takeEntry),
		bind("/", "/", "go to a folder by its path", pageFiles, "folder", (*model).goTo),
		bind(".", ".", "show hidden files, or hide them", pageFiles, "", does(func(m *model) { m.files.hidden = !m.files.hidden })),
		bind("v", "v", "take name, CPUs, memory and network cards from an OVA, OVF or VMX: the file under the cursor, the one beside the source, or the source",
			pageSource|pageFiles, "vm", (*model).takeDescription),
		bind("enter", "enter", "do what is chosen below", pageReview, "do it", (*model).finish),
		bind("left h", "left h", "the choice before", pageReview, "", does(func(m *model) { m.choose(-1) })),
		bind("right l", "right l", "the next choice", pageReview, "", does(func(m *model) { m.choose(1) })),
		bind("p", "p", "show what the job would do, how long it takes and what space it needs; again for the manifest", pageReview, "plan", does((*model).togglePlan)),
		bind("P", "P", "look into the guest, and show each change that would be made in it as a difference; again for the manifest", pageReview, "changes", (*model).showChanges),
		bind("v", "v", "show YAML, JSON, the difference from the defaults, the command line, the plan, the changes", pageReview, "view", does((*model).nextView)),
		bind("i", "i", "submit: hand in the files too, or let the daemon read them where they are", pageReview, "files", does(func(m *model) { m.result.Copy = !m.result.Copy })),
		bind("J", "J", "all VMs of this manifest", pageSteps, "VMs", does(func(m *model) { m.from, m.page = m.page, pageJobs })),
		bind("a", "a", "add a VM", pageSteps|pageJobs, "add", does((*model).addVM)),
		bind("c", "c", "add a VM with the same answers but for source and name", pageSteps|pageJobs, "copy", does((*model).copyVM)),
		bind("x", "x", "remove this VM (asks first)", pageSteps|pageJobs, "remove", does((*model).removeVM)),
		bind("] ctrl+n", "]", "the next VM", pageSteps|pageJobs, "", does(func(m *model) { m.otherVM(1) })),
		bind("[ ctrl+p", "[", "the VM before", pageSteps|pageJobs, "", does(func(m *model) { m.otherVM(-1) })),
		bind("enter", "enter", "to the answers of this VM", pageJobs, "open", does(func(m *model) { m.page = pageSource })),
		bind("up k", "up k", "up", pageAny, "", does(func(m *model) { m.move(-1) })),
		bind("down j", "down j", "down", pageAny, "", does(func(m *model) { m.move(1) })),
		bind("pgup ctrl+b", "PgUp", "a screen up", pageAny, "", does(func(m *model) { m.move(-m.leap()) })),
		bind("pgdown ctrl+f", "PgDn", "a screen down", pageAny, "", does(func(m *model) { m.move(m.leap()) })),
		bind("home g", "Home g", "to the first", pageAny, "", does(func(m *model) { m.move(-farthest) })),
		bind("end G", "End G", "to the last", pageAny, "", does(func(m *model) { m.move(farthest) })),
		bind("esc", "esc", "back: from the files, the help, a step", pageAny, "", does((*model).back)),
		bind("T", "T", "next theme", pageAny, "", does((*model).nextTheme)),
		bind("ctrl+l", "ctrl+l", "paint the screen anew", pageAny, "", func(*model) tea.Cmd { return tea.ClearScreen }),
		bind("ctrl+z", "ctrl+z", "to the shell; fg comes back", pageAny, "", func(*model) tea.Cmd { return tea.Suspend }),
		bind("Q", "Q", "quit and forget the draft (asks first)", pageAny, "", does((*model).discard)),
		bind("q ctrl+c", "q", "quit; the draft is kept for the next time", pageAny, "quit", func(m *model) tea.Cmd { return m.end(Left) }),
	}
	for i, p := range order {
		n := string(rune('1' + i))
		list = append(list, bind(n, n, "to step "+n+", when nothing is wrong with those before it", pageSteps|pageJobs, "", does(func(m *model) { m.jump(p) })))
	}
	return list
}

// farthest is further than anything.
const farthest = 1 << 20

// leap is how far a screen goes.
func (m *model) leap() int { return max(m.height-9, 1) }

// keysOf takes keys apart that came in one piece: Bubble Tea gathers letters that arrive together. What is pasted is text, and
// means nothing where none is typed.
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
			m.note = line{}
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
		return m.end(Left)
	}
	m.say(look.Dim, "nothing done")
	return nil
}

// maxInput bounds what is typed in one line, in characters: longer than any path.
const maxInput = 5000

// type_ begins a line of text. done gets it when enter is pressed, cancel is called on esc.
func (m *model) type_(title, begin string, change func(string), done func(string) tea.Cmd, cancel func()) {
	r := []rune(begin)
	m.input = &input{title: title, runes: r, at: len(r), change: change, done: done, cancel: cancel}
}

// typed takes a key of a line being typed.
func (m *model) typed(msg tea.KeyMsg) tea.Cmd {
	in := m.input
	was := string(in.runes)
	switch msg.Type {
	case tea.KeyCtrlC:
		return m.end(Left)
	case tea.KeyEsc:
		m.input = nil
		if in.cancel != nil {
			in.cancel()
		}
		return nil
	case tea.KeyEnter, tea.KeyTab:
		m.input = nil
		return in.done(strings.TrimSpace(was))
	case tea.KeyLeft, tea.KeyCtrlB:
		in.at = max(in.at-1, 0)
	case tea.KeyRight, tea.KeyCtrlF:
		in.at = min(in.at+1, len(in.runes))
	case tea.KeyHome, tea.KeyCtrlA:
		in.at = 0
	case tea.KeyEnd, tea.KeyCtrlE:
		in.at = len(in.runes)
	case tea.KeyBackspace:
		if in.at > 0 {
			in.runes = append(in.runes[:in.at-1], in.runes[in.at:]...)
			in.at--
		}
	case tea.KeyDelete, tea.KeyCtrlD:
		if in.at < len(in.runes) {
			in.runes = append(in.runes[:in.at], in.runes[in.at+1:]...)
		}
	case tea.KeyCtrlU:
		in.runes, in.at = in.runes[in.at:], 0
	case tea.KeyCtrlK:
		in.runes = in.runes[:in.at]
	case tea.KeySpace, tea.KeyRunes:
		add := plainRunes(msg.Runes)
		if len(in.runes)+len(add) <= maxInput {
			in.runes = append(in.runes[:in.at], append(add, in.runes[in.at:]...)...)
			in.at += len(add)
		}
	}
	if s := string(in.runes); s != was && in.change != nil {
		in.change(strings.TrimSpace(s))
	}
	return nil
}

// plainRunes are characters as they can be answers: what ends a line is a blank, as in a paste of several.
func plainRunes(rs []rune) []rune {
	out := make([]rune, 0, len(rs))
	for _, r := range rs {
		if r == '\n' || r == '\r' || r == '\t' {
			r = ' '
		}
		if r >= ' ' && r != 0x7f {
			out = append(out, r)
		}
	}
	return out
}
