package wizard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
)

// keepAfter is how long after a change the answers are kept: what is typed in one go is kept once.
const keepAfter = 400 * time.Millisecond

// The messages of the commands.
type (
	checkedMsg struct {
		version  int
		problems []answers.Problem

		yaml, json []byte
	}
	keepMsg struct{}
	keptMsg struct {
		version int
		at      time.Time
		err     error
	}
	listedMsg struct {
		dir     string
		entries []Entry
		more    bool
		err     error
	}
	probedMsg struct {
		path  string
		facts Facts
		err   error
	}
	describedMsg struct {
		vm, version int
		path        string
		facts       Facts
		err         error
		asked       bool // somebody pressed the key: what is answered is replaced
	}
	savedMsg struct {
		path   string
		action Action
		err    error
	}
)

// check finds out what is wrong with the answers. One check is under way at a time; the form may have many VMs.
func (m *model) check() tea.Cmd {
	if m.checking || m.checked == m.version {
		return nil
	}
	m.checking = true
	form, version := m.form.Clone(), m.version
	return func() tea.Msg { return checked(form, version) }
}

func checked(form answers.Form, version int) checkedMsg {
	msg := checkedMsg{version: version, problems: form.Check()}
	msg.yaml, _ = form.YAML() // an error is among the problems
	msg.json, _ = form.JSON()
	return msg
}

func (m *model) gotCheck(msg checkedMsg) tea.Cmd {
	m.checking = false
	m.takeCheck(msg)
	return m.check()
}

func (m *model) takeCheck(msg checkedMsg) {
	if msg.version > m.checked {
		m.checked, m.problems, m.yaml, m.json = msg.version, msg.problems, msg.yaml, msg.json
	}
}

// checkNow checks what was not checked yet, where the next step depends on it.
func (m *model) checkNow() {
	if m.checked != m.version {
		m.takeCheck(checked(m.form, m.version))
	}
}

func (m *model) keepSoon() tea.Cmd {
	return tea.Tick(m.keepAfter, func(time.Time) tea.Msg { return keepMsg{} })
}

// keep keeps the answers, one version after the other.
func (m *model) keep() tea.Cmd {
	if m.keeping || m.kept == m.version || m.opt.Keep == nil {
		return nil
	}
	m.keeping = true
	form, version, keep, now := m.form.Clone(), m.version, m.opt.Keep, m.opt.Now
	return func() tea.Msg { return keptMsg{version, now(), keep(form)} }
}

func (m *model) gotKept(msg keptMsg) tea.Cmd {
	m.keeping, m.kept, m.keptAt, m.lost = false, msg.version, msg.at, msg.err
	if msg.err != nil {
		m.say(look.Warn, "the draft cannot be kept: "+msg.err.Error())
		return nil
	}
	return m.keep()
}

// list reads a directory.
func (m *model) list(dir string) tea.Cmd {
	m.files.reading = dir
	files, g, ctx := m.opt.Files, m.gate, m.ctx
	return func() tea.Msg {
		msg := listedMsg{dir: dir}
		type listing struct {
			entries []Entry
			more    bool
		}
		got, err := pass(ctx, g, func(ctx context.Context) (listing, error) {
			e, more, err := files.List(ctx, dir)
			return listing{e, more}, err
		})
		msg.entries, msg.more, msg.err = got.entries, got.more, err
		return msg
	}
}

// maxProbes is how many files are probed at a time: the machine has other work.
const maxProbes = 2

// probe looks at the files on the screen, the one under the cursor first.
func (m *model) probe() tea.Cmd {
	if m.page != pageFiles && m.page != pageSource {
		return nil
	}
	var all []tea.Cmd
	for m.files.probing < maxProbes {
		path, ok := m.files.next(m.height)
		if !ok {
			break
		}
		m.files.probing++
		m.files.facts[path] = probed{}
		files, g, ctx := m.opt.Files, m.gate, m.ctx
		all = append(all, func() tea.Msg {
			facts, err := pass(ctx, g, func(ctx context.Context) (Facts, error) { return files.Probe(ctx, path) })
			return probedMsg{path, facts, err}
		})
	}
	return tea.Batch(all...)
}

// describe reads a description and fills in what it says.
func (m *model) describe(path string, asked bool) tea.Cmd {
	msg := describedMsg{vm: m.vm, version: m.version, path: path, asked: asked}
	if p, ok := m.files.facts[path]; ok && p.done {
		msg.facts, msg.err = p.facts, p.err
		return func() tea.Msg { return msg }
	}
	files, g, ctx := m.opt.Files, m.gate, m.ctx
	return func() tea.Msg {
		msg.facts, msg.err = pass(ctx, g, func(ctx context.Context) (Facts, error) { return files.Probe(ctx, path) })
		return msg
	}
}

// gotDescription fills in what a description says, and tells whether it changed something. One that comes after the answers
// changed is used only when it was asked for.
func (m *model) gotDescription(msg describedMsg) bool {
	name := filepath.Base(msg.path)
	switch {
	case msg.vm >= len(m.form.VMs), !msg.asked && msg.version != m.version:
		return false
	case msg.err != nil && msg.asked:
		m.say(look.Warn, "cannot read "+name+": "+msg.err.Error())
		return false
	case msg.err != nil:
		return false
	case !msg.facts.Described && msg.asked:
		m.say(look.Dim, name+" describes no VM; an OVA, OVF or VMX does")
		return false
	case !msg.facts.Described:
		return false
	}
	took := m.form.VMs[msg.vm].Describe(msg.facts.Name, msg.facts.Machine, msg.asked)
	if len(took) == 0 {
		m.say(look.Dim, name+" says nothing more of the VM")
		return false
	}
	m.changed()
	m.say(look.Good, "taken from "+name+": "+strings.Join(took, ", "))
	return true
}

// save writes the manifest where it was asked to.
func (m *model) save(path string, a Action, replace bool) tea.Cmd {
	m.checkNow()
	content, save := m.yaml, m.opt.Save
	if strings.EqualFold(filepath.Ext(path), ".json") {
		content = m.json
	}
	return func() tea.Msg { return savedMsg{path, a, save(path, content, replace)} }
}

func (m *model) gotSaved(msg savedMsg) tea.Cmd {
	switch {
	case errors.Is(msg.err, fs.ErrExist):
		m.ask = &question{fmt.Sprintf("%s is there already. Replace it?", msg.path), func() tea.Cmd { return m.save(msg.path, msg.action, true) }}
		return nil
	case msg.err != nil:
		m.say(look.Bad, "cannot save: "+msg.err.Error())
		return nil
	}
	m.result.File = msg.path
	return m.end(msg.action)
}

// end ends the program with an action.
func (m *model) end(a Action) tea.Cmd {
	m.result.Action, m.result.Form, m.result.JSON = a, m.form, views[m.view] == "JSON"
	return tea.Quit
}
