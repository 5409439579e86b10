package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/exp/teatest"
	"github.com/muesli/termenv"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

func TestRequests(t *testing.T) {
	tests := []struct {
		name   string
		keys   []string
		change func(*fake)
		opt    func(*Options)
		asked  string
		said   string
	}{
		{name: "retry the failed one", keys: []string{"4", "r"}, asked: "retry web-sql16.vmdk", said: "web-sql16.vmdk: retry will be done"},
		{name: "a running job is not retried", keys: []string{"3", "r"}, said: "cannot retry web01.vmdk: it is running"},
		{name: "cancel is confirmed", keys: []string{"x", "y"}, asked: "cancel web01.vmdk", said: "web01.vmdk: cancel will be done"},
		{name: "and can be left alone", keys: []string{"x", "n"}, said: "nothing done"},
		{name: "enter is not yes", keys: []string{"x", "enter"}, said: "nothing done"},
		{name: "several at once", keys: []string{"4", "space", "space", "r", "y"}, asked: "retry bad\x1b[31m\nname.vmdk, retry web-sql16.vmdk", said: "retry: 2 jobs"},
		{name: "marks are taken back", keys: []string{"4", "space", "space", "u", "home", "r"}, asked: "retry web-sql16.vmdk", said: "web-sql16.vmdk: retry will be done"},
		{name: "all of a list at once", keys: []string{"4", "a", "r", "y"}, asked: "retry bad\x1b[31m\nname.vmdk, retry web-sql16.vmdk", said: "retry: 2 jobs"},
		{name: "an archive, and its path", keys: []string{"4", "b", "y"}, opt: bundles, said: "copied, if the terminal allows it: /root/hyper2kvm-support-of-web-sql16.vmdk.tar.gz"},
		{name: "no archive from here", keys: []string{"b"}, said: "cannot write an archive from here: hyperctl bundle JOB"},
		{name: "release", keys: []string{"2", "R"}, asked: "release x_1.vmdk", said: "x_1.vmdk: release will be done"},
		{name: "priority", keys: []string{"2", "+"}, asked: "priority high x_1.vmdk", said: "x_1.vmdk: priority high will be done"},
		{name: "a running job has no order", keys: []string{"3", "-"}, said: "cannot give priority low to web01.vmdk: it is running"},
		{name: "pause", keys: []string{"p"}, asked: "pause ", said: "pause will be done"},
		{name: "resume", keys: []string{"p"}, change: func(f *fake) { f.st.State = "paused" }, asked: "resume ", said: "resume will be done"},
		{name: "refused", keys: []string{"4", "r"}, change: func(f *fake) { f.deny = "it is another user's job" }, said: "retry refused: web-sql16.vmdk: it is another user's job"},
		{name: "read-only", keys: []string{"4", "r"}, opt: func(o *Options) { o.ReadOnly = true }, said: "cannot retry: this is --read-only"},
		{name: "daemon down", keys: []string{"p"}, change: func(f *fake) { f.live = queue.LiveNotRunning }, said: "cannot pause: the daemon does not run, and it alone changes jobs"},
		{name: "daemon hung", keys: []string{"x"}, change: func(f *fake) { f.live = queue.LiveHung }, said: "cannot cancel: the daemon hangs and would not answer"},
		{name: "no error to show", keys: []string{"e"}, said: "web01.vmdk has no error: it is running"},
		{name: "copy", keys: []string{"5", "y"}, said: "copied, if the terminal allows it: /srv/kvm/2026-11-22/web-mail"},
		{name: "copy a command", keys: []string{"4", "down", "Y"}, said: "copied, if the terminal allows it: hyperctl --workflow-dir /var/lib/hyper2kvm/workflow workflow show 'bad\x1b[31m\nname.vmdk'"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake()
			if tt.change != nil {
				tt.change(f)
			}
			m := screen(t, f, 80, 24, tt.opt)
			keys(m, tt.keys...)
			if got := f.asked(); got != tt.asked {
				t.Errorf("asked for %q, want %q", got, tt.asked)
			}
			if m.note.text != tt.said {
				t.Errorf("said %q, want %q", m.note.text, tt.said)
			}
		})
	}
}

// TestCursorFollowsItsJob keeps the cursor on a job while others come and go before it.
func TestCursorFollowsItsJob(t *testing.T) {
	f := newFake()
	m := screen(t, f, 80, 24, nil)
	keys(m, "down", "down", "down")
	f.mu.Lock()
	f.all = f.all[2:]
	f.mu.Unlock()
	send(m, wakeMsg(noon))
	if j, _ := m.current(); j.Name != "web-sql16.vmdk" {
		t.Errorf("the cursor is on %q", j.Name)
	}
	f.mu.Lock()
	f.all = nil
	f.mu.Unlock()
	send(m, wakeMsg(noon))
	if _, ok := m.current(); ok || m.detail.Job.Name != "" {
		t.Errorf("the cursor stands on a job where there is none: %q", m.detail.Job.Name)
	}
}

// TestMarksAreOfTheListThatWasAskedFor: rows that come after the list changed are not marked.
func TestMarksAreOfTheListThatWasAskedFor(t *testing.T) {
	m := screen(t, newFake(), 80, 24, nil)
	_, mark := m.Update(press("a"))
	keys(m, "4")
	drive(m, mark)
	if len(m.marks) != 0 {
		t.Errorf("%d jobs of another list are marked", len(m.marks))
	}
	keys(m, "a")
	if len(m.marks) != 2 {
		t.Errorf("%d jobs are marked, want 2", len(m.marks))
	}
}

// TestOneArchiveAtATime, and a failure is told.
func TestOneArchiveAtATime(t *testing.T) {
	m := screen(t, newFake(), 80, 24, func(o *Options) {
		o.Bundle = func(context.Context, []jobs.Ref) (string, error) { return "", errors.New("disk full") }
	})
	_, first := m.Update(press("b"))
	keys(m, "b")
	if m.note.text != "an archive is being made already" {
		t.Errorf("said %q", m.note.text)
	}
	drive(m, first)
	if m.note.text != "no support archive: disk full" || m.bundling {
		t.Errorf("said %q", m.note.text)
	}
}

// TestUsersHaveNames: each is asked for once, however often the screen is painted.
func TestUsersHaveNames(t *testing.T) {
	asked := 0
	m := screen(t, newFake(), 140, 40, func(o *Options) {
		o.User = func(uid uint32) string { asked++; return fmt.Sprintf("alice (%d)", uid) }
	})
	for range 3 {
		if v := m.View(); strings.Count(v, "alice") < 3 || strings.Count(v, "alice (1000)") != 1 {
			t.Fatalf("%s", m.View())
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}

// TestMouse: a click chooses a job, another opens it; the wheel moves; without M nothing of it happens.
func TestMouse(t *testing.T) {
	for _, size := range sizes {
		m := screen(t, newFake(), size[0], size[1], nil)
		row := slices.IndexFunc(strings.Split(m.View(), "\n"), func(l string) bool { return strings.Contains(l, "web-sql16") })
		click := tea.MouseMsg{X: 8, Y: row, Action: tea.MouseActionPress, Button: tea.MouseButtonLeft}
		send(m, click)
		if m.index != 0 {
			t.Errorf("a click without M moved the cursor to %d", m.index)
		}
		keys(m, "M")
		m.View()
		send(m, click)
		if j, _ := m.current(); j.Name != "web-sql16.vmdk" {
			t.Errorf("%v: the click chose %q", size, j.Name)
		}
		m.View()
		send(m, tea.MouseMsg{Action: tea.MouseActionPress, Button: tea.MouseButtonWheelUp})
		if m.index != 0 {
			t.Errorf("the wheel went to %d", m.index)
		}
		m.View()
		send(m, click)
		m.View()
		send(m, click)
		if m.page != pageJob {
			t.Errorf("the second click opened page %d", m.page)
		}
	}
}

// TestNextInTheLog goes from one found line to the next and around, also where the end of the log is on the screen.
func TestNextInTheLog(t *testing.T) {
	m := screen(t, newFake(), 80, 24, nil)
	keys(m, "l")
	var at []int
	for range 4 {
		keys(m, "N")
		m.View()
		at = append(at, m.hitAt)
	}
	if want := []int{41, 21, 41, 21}; !slices.Equal(at, want) { // the line with the error, the one with the warning
		t.Errorf("N went to lines %v, want %v", at, want)
	}
	keys(m, "/", "3", "9", ".", "0", "enter", "n")
	if m.hitAt != 40 {
		t.Errorf("the search went to line %d", m.hitAt)
	}
}

// TestKeysWaitForTheirList: between the choice of a list and its rows, no key means a row of the one before.
func TestKeysWaitForTheirList(t *testing.T) {
	f := newFake()
	m := screen(t, f, 80, 24, nil)
	_, look := m.Update(press("4"))
	keys(m, "x", "y")
	if m.ask != nil || f.asked() != "" {
		t.Errorf("asked %v, did %q", m.ask, f.asked())
	}
	drive(m, look)
	keys(m, "r")
	if got := f.asked(); got != "retry web-sql16.vmdk" {
		t.Errorf("asked for %q", got)
	}
}

// TestKeysInOnePiece: letters that arrive together are keys one after the other; what is pasted is none.
func TestKeysInOnePiece(t *testing.T) {
	m := screen(t, newFake(), 80, 24, nil)
	keys(m, "/web0 x")
	if m.query.Filter != "web0 x" {
		t.Errorf("filter %q", m.query.Filter)
	}
	send(m, press("enter"))
	send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("4"), Alt: true}) // Esc and 4
	if m.query.Filter != "" || m.tab != 3 {
		t.Errorf("filter %q, list %d", m.query.Filter, m.tab)
	}
	send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("xy"), Paste: true})
	send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("q"), Paste: true})
	if m.ask != nil || m.query.Filter != "" {
		t.Errorf("a paste was taken for keys: %v, %q", m.ask, m.query.Filter)
	}
}

// TestKeyList: every key is in the help, and none means two things on one page.
func TestKeyList(t *testing.T) {
	m := screen(t, newFake(), 80, 200, nil)
	keys(m, "?")
	help := m.View()
	seen := map[page]map[string]string{}
	for _, a := range m.actions {
		for name := range strings.FieldsSeq(a.Help().Key) {
			if !strings.Contains(help, name) {
				t.Errorf("key %q is not in the help", name)
			}
		}
		for p := pageList; p <= pageHelp; p <<= 1 {
			if a.pages&p == 0 {
				continue
			}
			for _, k := range a.Keys() {
				if seen[p] == nil {
					seen[p] = map[string]string{}
				}
				if old, ok := seen[p][k]; ok {
					t.Errorf("key %q means %q and %q on page %d", k, old, a.Help().Desc, p)
				}
				seen[p][k] = a.Help().Desc
			}
		}
	}
}

// TestProgram runs the whole program on a terminal that is none, from the first look to the end.
func TestProgram(t *testing.T) {
	f := newFake()
	m := screen(t, f, 80, 24, nil)
	tm := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(80, 24))
	shows := func(want string) {
		t.Helper()
		teatest.WaitFor(t, tm.Output(), func(b []byte) bool { return bytes.Contains(b, []byte(want)) }, teatest.WithDuration(5*time.Second))
	}
	shows("web-sql16.vmdk")
	tm.Type("4")
	shows("1 of 2")
	tm.Type("e")
	shows("FAILED in stage inspect")
	tm.Send(press("esc"))
	tm.Type("r")
	shows("retry will be done")
	tm.Type("q")
	tm.WaitFinished(t, teatest.WithFinalTimeout(5*time.Second))
	if got := f.asked(); got != "retry web-sql16.vmdk" {
		t.Errorf("asked for %q", got)
	}
}

// breaks panics when it is painted.
type breaks struct{ *model }

func (breaks) View() string { panic("a mistake") }

// TestPanicGivesTheTerminalBack: what Bubble Tea promises and Run relies on.
func TestPanicGivesTheTerminalBack(t *testing.T) {
	var out bytes.Buffer
	m := screen(t, newFake(), 80, 24, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := tea.NewProgram(breaks{m}, tea.WithContext(ctx), tea.WithInput(strings.NewReader("")), tea.WithOutput(&out), tea.WithAltScreen()).Run()
	if !errors.Is(err, tea.ErrProgramPanic) && !errors.Is(err, tea.ErrProgramKilled) {
		t.Errorf("err = %v", err)
	}
	if s := out.String(); !strings.Contains(s, "\x1b[?1049h") || strings.LastIndex(s, "\x1b[?1049l") < strings.LastIndex(s, "\x1b[?1049h") {
		t.Errorf("the alternate screen is not left: %q", s)
	}
}

func TestUnknownTheme(t *testing.T) {
	_, err := newModel(t.Context(), Options{Source: newFake(), Now: time.Now, Theme: "pink"}, termenv.Ascii)
	if err == nil || !strings.Contains(err.Error(), "high-contrast") {
		t.Errorf("err = %v", err)
	}
}

// TestNewManifest: n hands the terminal to the wizard, and what went wrong there is told here.
func TestNewManifest(t *testing.T) {
	broken := errors.New("there is no workflow directory")
	for key, want := range map[string]string{"n": "entry: said", "E": "entry:/var/lib/hyper2kvm/workflow/processing/web01.vmdk said"} {
		m := screen(t, newFake(), 80, 24, func(o *Options) {
			o.Create = func(_ context.Context, entry string) (string, error) {
				if entry != "" {
					return "", broken
				}
				return "new.yaml submitted", nil
			}
		})
		_, cmd := m.Update(press(key))
		if cmd == nil {
			t.Fatalf("%s does nothing", key)
		}
		if got := fmt.Sprintf("%+v", cmd()); !strings.Contains(got, want) {
			t.Errorf("%s opens the wizard with %s", key, got)
		}
		for entry, want := range map[string]string{"": "new.yaml submitted", "x": "create: " + broken.Error()} {
			said := new(string)
			err := creation{m.ctx, m.opt.Create, entry, said}.Run()
			send(m, createdMsg{*said, err})
			if m.note.text != want {
				t.Errorf("said %q, want %q", m.note.text, want)
			}
		}
	}
	for _, change := range []func(*Options){func(o *Options) { o.ReadOnly = true }, func(*Options) {}} {
		m := screen(t, newFake(), 80, 24, change)
		keys(m, "n")
		if !strings.HasPrefix(m.note.text, "cannot create") {
			t.Errorf("said %q", m.note.text)
		}
	}
}
