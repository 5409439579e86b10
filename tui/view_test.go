package tui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/mattn/go-runewidth"
	"github.com/muesli/termenv"
	"github.com/rivo/uniseg"
	"pgregory.net/rapid"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

var update = flag.Bool("rewrite", false, "write the golden screens anew")

// golden compares a screen with testdata/<name>.txt. Blanks at the ends of lines are left out.
func golden(t *testing.T, name, got string) {
	t.Helper()
	var b strings.Builder
	for l := range strings.SplitSeq(got, "\n") {
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs (go test ./tui -rewrite writes it anew):\n%s\nwant:\n%s", path, b.String(), want)
	}
}

func bundles(o *Options) {
	o.Bundle = func(_ context.Context, about []jobs.Ref) (string, error) {
		return "/root/hyper2kvm-support-of-" + about[0].Name + ".tar.gz", nil
	}
}

var sizes = [][2]int{{60, 20}, {80, 24}, {140, 40}}

// pages are the screens that are kept as golden ones.
var pages = []struct {
	name   string
	keys   []string
	change func(*fake)
	opt    func(*Options)
}{
	{name: "list"},
	{name: "failed", keys: []string{"4", "down"}},
	{name: "queued", keys: []string{"2"}},
	{name: "running", keys: []string{"3", "down"}},
	{name: "done", keys: []string{"5"}},
	{name: "empty", change: func(f *fake) { f.all, f.st.Counts = nil, queue.Counts{} }},
	{name: "filter", keys: []string{"/", "w", "e", "b", "0"}},
	{name: "nothing", keys: []string{"/", "z", "z", "enter"}},
	{name: "marked", keys: []string{"4", "space", "space", "r"}},
	{name: "confirm", keys: []string{"x"}},
	{name: "details", keys: []string{"enter"}},
	{name: "details-done", keys: []string{"5", "enter"}},
	{name: "error", keys: []string{"4", "e"}},
	{name: "error-held", keys: []string{"2", "e"}},
	{name: "log", keys: []string{"l"}},
	{name: "search", keys: []string{"l", "/", "3", ".", "0", "enter"}},
	{name: "log-folded", keys: []string{"l", "t", "w", "home", "n"}},
	{name: "log-trouble", keys: []string{"l", "t", "t", "N", "N"}},
	{name: "help", keys: []string{"?"}},
	{name: "marked-all", keys: []string{"1", "a", "x"}},
	{name: "warned", keys: []string{"5", "down", "enter"}},
	{name: "bundle", opt: bundles, keys: []string{"4", "b"}},
	{name: "space", change: func(f *fake) { f.st.Space[1].Free = 650 * gib }},
	{name: "down", change: func(f *fake) { f.live, f.st.StoppedAt = queue.LiveNotRunning, noon.Add(-time.Minute) }, keys: []string{"4", "r"}},
	{name: "killed", change: func(f *fake) { f.live, f.st.At = queue.LiveNotRunning, noon.Add(-time.Minute) }},
	{name: "hung", change: func(f *fake) { f.live, f.st.At = queue.LiveHung, noon.Add(-time.Minute) }},
	{name: "never", change: func(f *fake) { f.live, f.st = queue.LiveNeverStarted, queue.Status{} }},
	{name: "paused", change: func(f *fake) { f.st.State = "paused" }},
	{name: "broken", change: func(f *fake) { f.fails = errors.New("open /w: permission denied") }},
	{name: "readonly", opt: func(o *Options) { o.ReadOnly = true }, keys: []string{"x"}},
	{name: "ascii", opt: func(o *Options) { o.UTF8 = false }},
}

func TestScreens(t *testing.T) {
	for _, p := range pages {
		for _, size := range sizes {
			name := fmt.Sprintf("%s-%dx%d", p.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				f := newFake()
				if p.change != nil {
					p.change(f)
				}
				m := screen(t, f, size[0], size[1], p.opt)
				keys(m, p.keys...)
				got := m.View()
				fits(t, m, got)
				golden(t, name, got)
			})
		}
	}
}

// TestFirstScreen is what is seen before anything has been read.
func TestFirstScreen(t *testing.T) {
	for _, size := range sizes {
		m, err := newModel(t.Context(), Options{Source: newFake(), Now: func() time.Time { return noon }, Theme: "mono", UTF8: true}, termenv.Ascii)
		if err != nil {
			t.Fatal(err)
		}
		m.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		got := m.View()
		fits(t, m, got)
		golden(t, fmt.Sprintf("reading-%dx%d", size[0], size[1]), got)
	}
}

// TestThemes keeps one screen of each theme with its escapes.
func TestThemes(t *testing.T) {
	for _, theme := range look.Themes {
		m := screen(t, newFake(), 80, 24, func(o *Options) { o.Theme = theme })
		got := m.View()
		fits(t, m, got)
		golden(t, "theme-"+theme, strings.ReplaceAll(got, "\x1b", "␛"))
	}
}

func TestNoColorWritesNoEscapes(t *testing.T) {
	for _, theme := range look.Themes {
		m := screen(t, newFake(), 80, 24, func(o *Options) { o.Theme, o.NoColor = theme, true })
		keys(m, "T")
		if got := m.View(); strings.Contains(got, "\x1b") {
			t.Errorf("%s: %q", theme, got)
		}
	}
}

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// fits holds a screen to its size by every way of measuring, and to characters that a terminal only shows.
func fits(t interface {
	Helper()
	Fatalf(string, ...any)
}, m *model, view string) {
	t.Helper()
	lines := strings.Split(view, "\n")
	if len(lines) != m.height {
		t.Fatalf("%d lines on a screen of %d", len(lines), m.height)
	}
	for _, l := range lines {
		if n := lipgloss.Width(l); n > m.width {
			t.Fatalf("%q is %d wide, the screen %d", l, n, m.width)
		}
		l = sgr.ReplaceAllString(l, "")
		if n := max(uniseg.StringWidth(l), runewidth.StringWidth(l)); n > m.width {
			t.Fatalf("%q is %d wide, the screen %d", l, n, m.width)
		}
		for _, r := range l {
			if r < 0x20 || r >= 0x7f && r <= 0x9f || !m.opt.UTF8 && r >= 0x7f {
				t.Fatalf("%q holds %U", l, r)
			}
		}
	}
}

// TestAnyKeysOnAnySize presses random keys on screens of random sizes, while jobs come and go.
func TestAnyKeysOnAnySize(t *testing.T) {
	names := []string{"enter", "esc", "up", "down", "pgdown", "pgup", "home", "end", "tab", "backspace", "ctrl+u", "space", "日本語", "\x00\x1b"}
	for _, c := range "?/lerxpRusSkjgGfnNyYTqynz12345[]: !abtwME+-=" {
		names = append(names, string(c))
	}
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake()
		m := screen(t, f, 80, 24, func(o *Options) { bundles(o); o.UTF8 = rapid.Bool().Draw(rt, "utf8") })
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 10).Draw(rt, "what") {
			case 10:
				send(m, tea.MouseMsg{
					X: rapid.IntRange(0, 200).Draw(rt, "x"), Y: rapid.IntRange(0, 60).Draw(rt, "y"), Action: tea.MouseActionPress,
					Button: rapid.SampledFrom([]tea.MouseButton{tea.MouseButtonLeft, tea.MouseButtonWheelUp, tea.MouseButtonWheelDown}).Draw(rt, "button"),
				})
			case 0:
				send(m, tea.WindowSizeMsg{Width: rapid.IntRange(1, 200).Draw(rt, "width"), Height: rapid.IntRange(1, 60).Draw(rt, "height")})
			case 1:
				f.mu.Lock()
				if len(f.all) > 0 {
					f.all = f.all[rapid.IntRange(0, min(2, len(f.all))).Draw(rt, "gone"):]
				}
				f.live = rapid.SampledFrom([]queue.Liveness{queue.LiveRunning, queue.LiveHung, queue.LiveNotRunning}).Draw(rt, "live")
				f.mu.Unlock()
				send(m, wakeMsg(noon))
			default:
				_, cmd := m.Update(press(rapid.SampledFrom(names).Draw(rt, "key")))
				if cmd != nil {
					if _, quit := cmd().(tea.QuitMsg); !quit {
						m.looking = false
						drive(m, m.look())
					}
				}
			}
			fits(rt, m, m.View())
		}
	})
}

func TestWhyThereIsNoLog(t *testing.T) {
	at := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	for want, j := range map[string]queue.Job{
		"it did not start yet":                           {State: queue.Waiting},
		"nothing said yet":                               {State: queue.Running, StartedAt: &at},
		"it ended before it started":                     {State: queue.Failed, Code: "H2K-JOB-003"},
		"the jobs that it became have logs of their own": {State: queue.Done, Kind: "batch"},
		"logs of ended jobs are kept for a while only":   {State: queue.Failed, StartedAt: &at},
	} {
		if got := (&model{detail: jobs.Detail{Job: j}}).noLog(); got != want {
			t.Errorf("of a job that is %s: %q, want %q", j.State, got, want)
		}
	}
}
