package wizard

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
)

// views are how the review shows the manifest.
var views = []string{"YAML", "JSON", "difference from the defaults", "command line", "plan", "changes in the guest"}

// The views that have a key of their own.
const (
	viewPlan    = 4
	viewChanges = 5
)

// choices are the ways to end, in the order in which the review has them.
var choices = []struct {
	action Action
	title  string
}{
	{SaveAndSubmit, "Save and submit"}, {Save, "Save"}, {Submit, "Submit only"}, {Print, "Print"},
}

// turn goes to another word of a field, or switches it.
func (m *model) turn(by int) tea.Cmd {
	r := m.selected()
	vm := m.current()
	switch r.Kind {
	case answers.Switch:
		vm.Set(r.Path, map[bool]string{true: "false", false: "true"}[r.On(vm)])
	case answers.Word:
		v := vm[r.Path]
		if v == "" {
			v = r.Default
		}
		i := slices.Index(r.Values, v)
		if i < 0 && by > 0 {
			i = -1
		}
		vm.Set(r.Path, r.Values[(i+by+len(r.Values))%len(r.Values)])
	default:
		return nil
	}
	m.changed()
	return nil
}

// edit answers the field of the cursor: by a key where there is a choice, else by typing. What is typed is checked as it is typed.
func (m *model) edit() tea.Cmd {
	r := m.selected()
	if r.Kind == answers.Switch || r.Kind == answers.Word {
		return m.turn(1)
	}
	vm, before := m.current(), r.value(m.current())
	whole := vm[r.Path]
	set := func(s string) {
		vm.Set(r.Path, whole)
		r.set(vm, s)
		m.changed()
	}
	m.type_(r.Path, before, set, func(s string) tea.Cmd {
		set(s)
		if r.Path == "input" && s != "" && filepath.IsAbs(s) {
			return m.describe(s, false)
		}
		return nil
	}, func() { set(before) })
	return nil
}

// unset takes an answer back.
func (m *model) unset() {
	r := m.selected()
	if r.value(m.current()) == "" {
		m.say(look.Dim, r.Path+" is not answered: the default holds")
		return
	}
	r.set(m.current(), "")
	m.changed()
}

// stepOf is where a page stands in the order of steps.
func stepOf(p page) int {
	if p == pageFiles {
		p = pageSource
	}
	return slices.Index(order, p)
}

// nextStep goes on, unless something is wrong with the step.
func (m *model) nextStep() {
	if i := stepOf(m.page); i >= 0 && i < len(order)-1 {
		m.jump(order[i+1])
	}
}

// stepBack goes to the step before.
func (m *model) stepBack() {
	if i := stepOf(m.page); i > 0 {
		m.page, m.scroll = order[i-1], 0
	}
}

// jump goes to a step, or to the first one before it that has an error.
func (m *model) jump(p page) {
	from, to := stepOf(m.page), stepOf(p)
	for i := range to {
		s := answers.Step(i)
		m.checkNow() // what was just answered was not looked at yet
		if m.faults(s) == 0 {
			continue
		}
		m.page, m.scroll = order[i], 0
		for j, r := range m.rows(s) {
			if pr, ok := m.problem(r.Path); ok && pr.Severity == manifest.SeverityError {
				m.at[s] = j
				m.say(look.Bad, r.Path+": "+pr.Message)
				break
			}
		}
		if i == 0 && from == 0 && len(m.current().Inputs()) == 0 {
			m.page = pageFiles
		}
		return
	}
	m.page, m.scroll = p, 0
}

// back leaves what was opened, or goes to the step before.
func (m *model) back() {
	switch m.page {
	case pageHelp, pageJobs:
		m.page = m.from
	case pageFiles:
		m.page = pageSource
	case pageDraft:
		m.say(look.Dim, "y takes the draft up, n begins anew, q quits")
	case pageSource:
		m.say(look.Dim, "this is the first step; q quits, and the draft is kept")
	default:
		m.stepBack()
	}
}

func (m *model) toggleHelp() {
	if m.page == pageHelp {
		m.page = m.from
		return
	}
	if m.page != pageJobs && m.page != pageDraft { // from those, help comes back to the step
		m.from = m.page
	} else if m.page == pageDraft {
		m.say(look.Dim, "first: y takes the draft up, n begins anew")
		return
	}
	m.page, m.scroll = pageHelp, 0
}

func (m *model) toggleFiles() {
	if m.page == pageFiles {
		m.page = pageSource
	} else {
		m.page = pageFiles
	}
}

// takeDraft begins with the draft, or without.
func (m *model) takeDraft(yes bool) {
	m.page = m.from
	if !yes {
		return
	}
	m.form, m.vm = m.opt.Draft.Form.Clone(), 0
	if len(m.form.VMs) == 0 {
		m.form = answers.New()
	}
	m.page = pageSource
	m.changed()
}

// move moves the cursor, or scrolls.
func (m *model) move(by int) {
	switch {
	case m.page&pageFields != 0:
		m.at[m.step()] += by
		m.selected()
	case m.page == pageFiles:
		m.files.at += by
		m.files.under()
	case m.page == pageJobs:
		m.vm = min(max(m.vm+by, 0), len(m.form.VMs)-1)
	default:
		m.scroll = max(m.scroll+by, 0)
	}
}

func (m *model) otherVM(by int) {
	n := len(m.form.VMs)
	if n == 1 {
		m.say(look.Dim, "there is one VM; a adds another, c a copy of this one")
		return
	}
	m.vm = (m.vm + by + n) % n
	m.say(look.Dim, fmt.Sprintf("VM %d of %d: %s", m.vm+1, n, m.current().Name()))
}

func (m *model) insert(vm answers.VM) {
	if len(m.form.VMs) >= manifest.MaxVMs {
		m.say(look.Warn, fmt.Sprintf("a manifest has %d VMs at most", manifest.MaxVMs))
		return
	}
	m.vm++
	m.form.VMs = slices.Insert(m.form.VMs, m.vm, vm)
	m.changed()
	m.page = pageFiles
	m.say(look.Dim, fmt.Sprintf("VM %d of %d: choose its source", m.vm+1, len(m.form.VMs)))
}

func (m *model) addVM() { m.insert(answers.VM{}) }

func (m *model) copyVM() {
	vm := maps.Clone(m.current())
	for _, own := range []string{"input", "input_format", "checksum", "name", "output_name", "nics"} { // two VMs cannot have the same
		delete(vm, own)
	}
	m.insert(vm)
}

func (m *model) removeVM() {
	if len(m.form.VMs) == 1 {
		m.say(look.Dim, "this is the only VM; d takes single answers back")
		return
	}
	name := m.current().Name()
	if name == "" {
		name = "without a source"
	}
	m.ask = &question{fmt.Sprintf("Remove VM %d, %s?", m.vm+1, name), func() tea.Cmd {
		m.form.VMs = slices.Delete(m.form.VMs, m.vm, m.vm+1)
		m.vm = min(m.vm, len(m.form.VMs)-1)
		m.changed()
		return nil
	}}
}

func (m *model) discard() {
	m.ask = &question{"Quit and forget all answers?", func() tea.Cmd { return m.end(Discarded) }}
}

func (m *model) choose(by int) { m.choice = (m.choice + by + len(choices)) % len(choices) }

// togglePlan shows the plan, and the manifest again.
func (m *model) togglePlan() {
	if m.scroll = 0; m.view == viewPlan {
		m.view = 0
		return
	}
	m.view = viewPlan
}

func (m *model) nextView() { m.view, m.scroll = (m.view+1)%len(views), 0 }

// finish does what is chosen at the end. Nothing that is wrong is saved or submitted.
func (m *model) finish() tea.Cmd {
	action := choices[m.choice].action
	m.checkNow()
	for _, p := range m.problems {
		if p.Severity == manifest.SeverityError {
			m.vm = max(p.VM, 0)
			m.jump(pageReview)
			return nil
		}
	}
	if p, there := m.foreseen(); there && action != Save && action != Print {
		if why := p.Objection(); why != "" {
			m.ask = &question{text: why + ". Go on?", yes: func() tea.Cmd { return m.proceed(action) }}
			return nil
		}
	}
	return m.proceed(action)
}

// proceed saves or ends.
func (m *model) proceed(action Action) tea.Cmd {
	if action == Submit || action == Print {
		return m.end(action)
	}
	m.type_("save as", m.saveName(), nil, func(s string) tea.Cmd {
		if s == "" {
			m.say(look.Dim, "nothing saved")
			return nil
		}
		if ext := strings.ToLower(filepath.Ext(s)); ext != ".yaml" && ext != ".yml" && ext != ".json" {
			s += ".yaml"
		}
		return m.save(s, action, false)
	}, nil)
	return nil
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

func parent(dir string) string { return filepath.Dir(dir) }
