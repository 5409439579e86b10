package wizard

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
)

// page is what fills the screen.
type page int

const (
	pageSource page = 1 << iota
	pageFiles       // of the step Source: the files to choose from
	pageStages
	pageOutput
	pageReview
	pageJobs
	pageDraft
	pageHelp
)

const (
	pageFields = pageSource | pageStages | pageOutput
	pageSteps  = pageFields | pageFiles | pageReview
	pageAny    = pageSteps | pageJobs | pageHelp | pageDraft
)

// order is the way through the steps.
var order = []page{pageSource, pageStages, pageOutput, pageReview}

// model is the state of the program.
type model struct {
	ctx     context.Context
	opt     Options
	profile termenv.Profile
	paint   *look.Painter
	actions []action
	fields  []answers.Field // with the daemon's defaults
	gate    gate

	width, height int

	page page
	from page // where help and the list of jobs go back to
	form answers.Form
	vm   int
	at   [3]int // row of the cursor in each step

	problems []answers.Problem
	version  int // of the form
	checked  int // the version that the problems are about
	checking bool

	yaml, json []byte // the manifest, of the version that was checked

	kept      int // the version that was kept
	keeping   bool
	keepAfter time.Duration
	keptAt    time.Time
	lost      error // why it could not be kept

	files  browser
	input  *input
	ask    *question
	note   line
	view   int // of the review
	scroll int
	choice int // among the ways to end

	preview previews
	changes changes
	result  Result
}

// input is a line being typed.
type input struct {
	title  string
	runes  []rune
	at     int
	change func(string) // on each key; may be nil
	done   func(string) tea.Cmd
	cancel func()
}

// question is asked before something is done that cannot be taken back.
type question struct {
	text string
	yes  func() tea.Cmd
}

func newModel(ctx context.Context, o Options, profile termenv.Profile) (*model, error) {
	if o.NoColor {
		profile = termenv.Ascii
	}
	p, err := look.NewPainter(o.Theme, profile, o.UTF8)
	if err != nil {
		return nil, err
	}
	m := &model{ctx: ctx, opt: o, profile: profile, paint: p, gate: newGate(), form: o.Form.Clone(), width: 80, height: 24, version: 1, kept: 1, keepAfter: keepAfter, page: pageFiles}
	if len(m.form.VMs) == 0 {
		m.form = answers.New()
	}
	if len(m.form.VMs[0].Inputs()) > 0 {
		m.page = pageSource
	}
	if o.Draft != nil {
		m.from, m.page = m.page, pageDraft
	}
	m.actions, m.fields = actions(), answers.FieldsWith(o.Defaults)
	m.result.Copy = o.Copy
	m.changes.running = new(sync.WaitGroup)
	m.files = browser{dir: o.Dir, facts: map[string]probed{}}
	if len(o.Notes) > 0 {
		m.say(look.Warn, "not carried over: "+strings.Join(o.Notes, ", "))
	}
	return m, nil
}

// Init begins to read the directory and to check the answers.
func (m *model) Init() tea.Cmd { return tea.Batch(m.list(m.files.dir), m.check()) }

// Update decides what a message changes.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		cmd = tea.ClearScreen
	case tea.KeyMsg:
		was := m.version
		if cmd = m.keysOf(msg); m.version != was {
			cmd = tea.Batch(cmd, m.check(), m.keepSoon())
		}
	case checkedMsg:
		cmd = m.gotCheck(msg)
	case keepMsg:
		cmd = m.keep()
	case keptMsg:
		cmd = m.gotKept(msg)
	case listedMsg:
		m.gotList(msg)
	case probedMsg:
		m.gotProbe(msg)
	case describedMsg:
		if m.gotDescription(msg) {
			cmd = tea.Batch(m.check(), m.keepSoon())
		}
	case savedMsg:
		cmd = m.gotSaved(msg)
	case changesMsg:
		m.gotChanges(msg)
	case previewMsg:
		m.gotPreview(msg)
	}
	return m, tea.Batch(cmd, m.probe(), m.look())
}

// current are the answers of the VM that is shown.
func (m *model) current() answers.VM { return m.form.VMs[m.vm] }

// changed is called after every change of the form.
func (m *model) changed() { m.version++ }

// row is a line of a step's fields. A field of several texts has a row for each and one for another.
type row struct {
	answers.Field
	item int
	last bool // the row for another text
}

// step is the step of the page; Source for those that have no fields.
func (m *model) step() answers.Step {
	switch m.page {
	case pageStages:
		return answers.Stages
	case pageOutput:
		return answers.Output
	}
	return answers.Source
}

// head is the switch of the stage that a field is part of.
func (m *model) head(r row) (answers.Field, bool) {
	i := slices.IndexFunc(m.fields, func(f answers.Field) bool { return f.Path == r.Stage })
	if i < 0 {
		return answers.Field{}, false
	}
	return m.fields[i], true
}

// rows are the fields of a step.
func (m *model) rows(s answers.Step) []row {
	var out []row
	for _, f := range m.fields {
		if f.Step != s {
			continue
		}
		if f.Kind != answers.Lines {
			out = append(out, row{Field: f})
			continue
		}
		n := len(strings.Split(m.current()[f.Path], "\n"))
		if m.current()[f.Path] == "" {
			n = 0
		}
		for i := range n {
			out = append(out, row{Field: f, item: i})
		}
		out = append(out, row{Field: f, item: n, last: true})
	}
	return out
}

// selected is the row of the cursor.
func (m *model) selected() row {
	s := m.step()
	all := m.rows(s)
	m.at[s] = min(max(m.at[s], 0), len(all)-1)
	return all[m.at[s]]
}

// value is the answer of a row.
func (r row) value(vm answers.VM) string {
	v := vm[r.Path]
	if r.Kind != answers.Lines {
		return v
	}
	if all := strings.Split(v, "\n"); r.item < len(all) && v != "" {
		return all[r.item]
	}
	return ""
}

// set gives the answer of a row; "" takes it back.
func (r row) set(vm answers.VM, v string) {
	if r.Kind != answers.Lines {
		vm.Set(r.Path, v)
		return
	}
	var all []string
	if vm[r.Path] != "" {
		all = strings.Split(vm[r.Path], "\n")
	}
	switch {
	case r.item >= len(all) && v != "":
		all = append(all, v)
	case r.item >= len(all):
	case v == "":
		all = slices.Delete(all, r.item, r.item+1)
	default:
		all[r.item] = v
	}
	vm.Set(r.Path, strings.Join(all, "\n"))
}

// problem is what is wrong with a field of the VM that is shown, the worst first.
func (m *model) problem(path string) (answers.Problem, bool) {
	found, ok := answers.Problem{}, false
	for _, p := range m.problems {
		if (p.VM == m.vm || p.VM < 0) && p.Field == path && (!ok || found.Severity != manifest.SeverityError) {
			found, ok = p, true
		}
	}
	return found, ok
}

// faults counts the errors of a step in the VM that is shown; those of no field belong to Source.
func (m *model) faults(s answers.Step) int {
	n := 0
	for _, p := range m.problems {
		f, _ := answers.FieldOf(p.Field)
		if p.Severity == manifest.SeverityError && (p.VM == m.vm || p.VM < 0) && f.Step == s {
			n++
		}
	}
	return n
}

// counts are the numbers of errors and warnings of all VMs.
func (m *model) counts() (failures, warnings int) {
	for _, p := range m.problems {
		if p.Severity == manifest.SeverityError {
			failures++
		} else {
			warnings++
		}
	}
	return failures, warnings
}

// say tells something at the foot of the screen, until the next key.
func (m *model) say(role look.Role, s string) {
	m.note = text(role, " "+strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " "))
}

// saveName is the file that is proposed.
func (m *model) saveName() string {
	if m.opt.File != "" {
		return m.opt.File
	}
	name := "manifest"
	if n := m.form.VMs[0].Name(); n != "" && len(m.form.VMs) == 1 {
		name = n
	}
	return "./" + filepath.Base(name) + ".yaml"
}
