package tui

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// page is what fills the screen.
type page int

const (
	pageList page = 1 << iota
	pageJob
	pageError
	pageLog
	pageHelp
)

// tabs are the lists of the number keys.
var tabs = []struct {
	name   string
	states []queue.State
}{
	{"All", nil},
	{"Queued", []queue.State{queue.Queued, queue.Waiting, queue.Ignored}},
	{"Running", []queue.State{queue.Running}},
	{"Failed", []queue.State{queue.Failed}},
	{"Done", []queue.State{queue.Done}},
}

// model is the state of the program.
type model struct {
	ctx       context.Context
	opt       Options
	profile   termenv.Profile
	paint     *look.Painter
	wake      <-chan struct{}
	actions   []action
	clipboard io.Writer

	width, height int
	now           time.Time

	page   page
	from   []page // where esc goes back to
	scroll int    // of the pages with text

	screen  jobs.Screen
	loaded  bool
	failure error
	looking bool // a look is under way
	again   bool // another one is due after it
	stale   bool // the rows are not those that were asked for: no key may mean one of them

	tab    int
	query  jobs.Query
	index  int
	cursor jobs.Ref
	marks  map[string]jobs.Ref
	users  map[uint32]string // that were asked for

	detail jobs.Detail
	log    jobs.Log
	logOf  string
	follow bool
	top    int // first line of the log that is shown, when it is not followed
	search string
	hitAt  int  // number of the line that n went to last; 0 = none
	stamp  int  // how the times of a log are shown
	folds  bool // long lines of a log go on in the next row

	mouse   bool
	rowsTop int // row of the screen that shows the job with index rowsAt
	rowsAt  int
	rowsEnd int // index behind the last one shown

	bundling bool

	input *input
	ask   *question
	note  note
	rates rates
}

// input is a line being typed.
type input struct {
	search bool // in the log; else a filter
	text   string
}

// question is asked before something is done that cannot be taken back.
type question struct {
	text string
	yes  func() tea.Cmd
}

// note tells what came of the last key, for a while.
type note struct {
	text  string
	role  look.Role
	until time.Time
	path  string // that y copies while this is shown; "" = none
}

const noteFor = 8 * time.Second

// rates are the sums of the running jobs' rates, one a second, for the sparkline.
type rates struct {
	last time.Time
	all  []float64
}

const maxRates = 60

func (r *rates) add(now time.Time, rate float64) {
	if now.Sub(r.last) < time.Second {
		return
	}
	r.last = now
	if r.all = append(r.all, rate); len(r.all) > maxRates {
		r.all = slices.Delete(r.all, 0, len(r.all)-maxRates)
	}
}

// mean is the rate of the last half minute: the estimate of the drain should not jump with each disk.
func (r *rates) mean() float64 {
	last := r.all[max(len(r.all)-30, 0):]
	sum := 0.0
	for _, n := range last {
		sum += n
	}
	return sum / float64(max(len(last), 1))
}

func newModel(ctx context.Context, o Options, profile termenv.Profile) (*model, error) {
	if o.NoColor {
		profile = termenv.Ascii
	}
	p, err := look.NewPainter(o.Theme, profile, o.UTF8)
	if err != nil {
		return nil, err
	}
	m := &model{
		ctx: ctx, opt: o, profile: profile, paint: p, page: pageList, follow: true, now: o.Now(), marks: map[string]jobs.Ref{}, users: map[uint32]string{},
		query: jobs.Query{Order: jobs.ByState}, width: 80, height: 24,
	}
	m.actions, m.clipboard = actions(), io.Discard
	return m, nil
}

// Init begins to look and to listen.
func (m *model) Init() tea.Cmd {
	m.wake = m.opt.Source.Wake(m.ctx)
	return tea.Batch(m.look(), m.listen())
}

// Update decides what a message changes.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m, tea.Batch(m.look(), tea.ClearScreen)
	case tea.KeyMsg:
		return m, m.keysOf(msg)
	case wakeMsg:
		m.now = time.Time(msg)
		return m, tea.Batch(m.look(), m.listen())
	case lookMsg:
		return m, m.looked(msg)
	case lookAgainMsg:
		m.looking = false
		return m, m.look()
	case doneMsg:
		m.did(msg)
		return m, m.look()
	case bundledMsg:
		m.bundled(msg)
		return m, nil
	case markedMsg:
		m.marked(msg)
		return m, nil
	case tea.MouseMsg:
		return m, m.moused(msg)
	case createdMsg:
		m.created(msg)
		return m, m.look()
	case tea.ResumeMsg:
		return m, m.look()
	}
	return m, nil
}

// looked takes over what was read.
func (m *model) looked(msg lookMsg) tea.Cmd {
	m.now, m.failure = msg.at, msg.err
	if msg.err == nil {
		m.loaded, m.screen = true, msg.screen
		m.rates.add(msg.at, msg.screen.Rate)
		if !msg.moved(m) { // the cursor did not move since the look was asked for
			m.index, m.stale = m.screen.Cursor, false
			m.point()
		}
		if msg.detail.Job.Path == m.cursor.Path {
			m.detail = msg.detail
		}
		if msg.logOf == m.detail.Job.LogPath {
			m.log, m.logOf = msg.log, msg.logOf
		}
	}
	return m.rest()
}

// point makes the cursor follow the job it stands on.
func (m *model) point() {
	m.index = min(max(m.index, 0), max(m.screen.Total-1, 0))
	j, ok := m.row(m.index)
	if !ok {
		m.cursor = jobs.Ref{}
		if m.screen.Total == 0 {
			m.detail = jobs.Detail{}
		}
		return
	}
	m.cursor = jobs.RefOf(j)
	if m.detail.Job.Path != j.Path {
		m.detail = jobs.Detail{Job: j}
		m.scroll, m.follow, m.hitAt = 0, true, 0
	} else if m.detail.Job.State == queue.Running {
		m.detail.Job = j
	}
}

// row is a job of the list, when it has been read.
func (m *model) row(i int) (queue.Job, bool) {
	at := i - m.screen.First
	if at < 0 || at >= len(m.screen.Rows) {
		return queue.Job{}, false
	}
	return m.screen.Rows[at], true
}

// current is the job that the cursor stands on.
func (m *model) current() (queue.Job, bool) {
	if m.stale {
		return queue.Job{}, false
	}
	return m.row(m.index)
}

// relist asks for another list: its first row, or the row of the job under the cursor.
func (m *model) relist(keep bool) tea.Cmd {
	m.stale = true
	if !keep {
		m.index, m.cursor = 0, jobs.Ref{}
	}
	return m.look()
}

// move moves the cursor by so many rows, or scrolls a page.
func (m *model) move(by int) tea.Cmd {
	switch m.page {
	case pageLog:
		m.scrollLog(by)
		return nil
	case pageList:
		m.index += by
		m.point()
		return m.look()
	}
	m.scroll = max(m.scroll+by, 0)
	return nil
}

// open goes to another page.
func (m *model) open(p page) {
	if m.page == p {
		return
	}
	m.from = append(m.from, m.page)
	m.page, m.scroll = p, 0
	if p == pageLog {
		m.follow, m.hitAt = true, 0
	}
}

// back goes to where the page was opened from. On the list it takes back the filter, then the marks.
func (m *model) back() tea.Cmd {
	switch {
	case len(m.from) > 0:
		m.page = m.from[len(m.from)-1]
		m.from = m.from[:len(m.from)-1]
		m.scroll = 0
	case m.query.Filter != "":
		m.query.Filter = ""
		return m.relist(true)
	default:
		clear(m.marks)
	}
	return nil
}

// say tells something at the foot of the screen.
func (m *model) say(role look.Role, text string) {
	m.note = note{text: strings.ToValidUTF8(text, "?"), role: role, until: m.now.Add(noteFor)}
}

// refusal is why nothing may be asked of the daemon; "" when it may.
func (m *model) refusal() string {
	switch {
	case m.opt.ReadOnly:
		return "this is --read-only"
	case !m.loaded:
		return "the directory has not been read yet"
	case m.screen.Live == queue.LiveHung:
		return "the daemon hangs and would not answer"
	case m.screen.Live != queue.LiveRunning:
		return "the daemon does not run, and it alone changes jobs"
	}
	return ""
}
