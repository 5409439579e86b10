package wizard

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
	"github.com/mattn/go-runewidth"
	"github.com/rivo/uniseg"
	"pgregory.net/rapid"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
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
		t.Errorf("%s differs (go test ./tui/wizard -rewrite writes it anew):\n%s\nwant:\n%s", path, b.String(), want)
	}
}

var sizes = [][2]int{{60, 20}, {80, 24}, {140, 40}}

func oneVM(o *Options) {
	o.Form = answers.Form{VMs: []answers.VM{{"input": "/vm/web01/web01.vmdk", "name": "web01", "vm.cpu": "4", "compression": "zstd"}}}
}

func threeVMs(o *Options) {
	o.Form = answers.Form{VMs: []answers.VM{
		{"input": "/vm/web01/web01.vmdk", "name": "web01", "output_format": "raw"}, {"input": "/vm/web02.vmdk\n/vm/web02-data.vmdk"}, {"name": "-wrong", "input": "../x"},
	}}
}

func unknown(f *fake) {
	f.ahead.Past, f.ahead.Before, f.ahead.VMs[0].Known = 0, 0, false
	f.ahead.Places = []Place{{What: "output", Unknown: "the daemon's output_dir is not known here"}, {What: "queue", Dir: "/w", Free: 5 * gib, Total: 9 * gib, Vague: true}}
}

// pages are the screens that are kept as golden ones.
var pages = []struct {
	name   string
	keys   []string
	at     string // field of the cursor, after the keys
	file   string // file of the cursor, after the keys
	then   []string
	change func(*fake)
	opt    func(*Options)
}{
	{name: "files"},
	{name: "files-image", file: "web01.vmdk"},
	{name: "files-chain", file: "web01-000001.vmdk"},
	{name: "files-hostile", file: "bad\x1b[31m\nname.vmdk", then: []string{"enter"}},
	{name: "files-broken", change: func(f *fake) { f.fails = errors.New("open /vm/web01: permission denied") }},
	{name: "source", file: "web01.vmdk", then: []string{"enter"}},
	{name: "source-ova", file: "web01.ova", then: []string{"enter"}},
	{name: "source-typing", opt: oneVM, at: "vm.cpu", then: []string{"enter", "x"}},
	{name: "source-wrong", opt: oneVM, at: "vm.cpu", then: []string{"enter", "x", "enter", "tab"}},
	{name: "stages", opt: oneVM, keys: []string{"2"}},
	{name: "stages-off", opt: oneVM, keys: []string{"2"}, at: "fix", then: []string{"space", "down", "right"}},
	{name: "output", opt: oneVM, keys: []string{"3"}},
	{name: "output-short", opt: oneVM, keys: []string{"3"}, change: func(f *fake) { f.ahead.Places[0].Free = 650 * gib }},
	{name: "output-unknown", opt: oneVM, keys: []string{"3"}, change: unknown},
	{name: "output-daemon", keys: []string{"3"}, opt: func(o *Options) {
		oneVM(o)
		o.Defaults = answers.Defaults{"output_format": "raw", "output_dir": "/srv/kvm", "compress": "false", "compress_level": "9", "boot_test": "true"}
	}},
	{name: "review-plan", opt: oneVM, keys: []string{"4", "p"}},
	{name: "review-fails", opt: oneVM, keys: []string{"4", "p", "enter"}, change: func(f *fake) {
		f.ahead.VMs[0] = Planned{Name: "web01", Code: manifest.CodeSourceTruncated, Fails: "the image ends at 3.0 GiB, its header says 40 GiB", Hint: "Copy the file again."}
	}},
	{name: "review-changes", opt: oneVM, keys: []string{"4", "P"}},
	{name: "review-unknown", opt: oneVM, keys: []string{"4", "p"}, change: unknown},
	{name: "review", opt: oneVM, keys: []string{"4"}},
	{name: "review-json", opt: oneVM, keys: []string{"4", "v"}},
	{name: "review-difference", opt: oneVM, keys: []string{"4", "v", "v"}},
	{name: "review-command", opt: oneVM, keys: []string{"4", "v", "v", "v", "i"}},
	{name: "review-save", opt: oneVM, keys: []string{"4", "right", "enter"}},
	{name: "review-replace", opt: oneVM, keys: []string{"4", "right", "enter", "enter"}, change: func(f *fake) { f.saved["./web01.yaml"] = "x" }},
	{name: "vms", opt: threeVMs, keys: []string{"J"}},
	{name: "vms-remove", opt: threeVMs, keys: []string{"J", "down", "x"}},
	{name: "draft", opt: func(o *Options) {
		threeVMs(o)
		o.Draft = &Draft{Form: o.Form, At: noon}
		o.Form = answers.New()
	}},
	{name: "notes", opt: func(o *Options) { oneVM(o); o.Notes = []string{"inspect.detect_os", "validate.integrity"} }},
	{name: "help", keys: []string{"?"}},
	{name: "ascii", opt: func(o *Options) { oneVM(o); o.UTF8 = false }, keys: []string{"3"}},
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
				if p.at != "" {
					field(t, m, p.at)
				}
				if p.file != "" {
					choose(t, m, p.file)
				}
				keys(m, p.then...)
				got := m.View()
				fits(t, m, got)
				golden(t, name, got)
			})
		}
	}
}

// TestWhileItIsLookedAt is what is seen before the folder has been read, and before the preview is there.
func TestWhileItIsLookedAt(t *testing.T) {
	for _, size := range sizes {
		f := newFake()
		m := screen(t, f, size[0], size[1], nil)
		m.files.entries = nil
		m.list("/vm/web01") // and no answer
		got := m.View()
		fits(t, m, got)
		golden(t, fmt.Sprintf("files-reading-%dx%d", size[0], size[1]), got)

		m = screen(t, f, size[0], size[1], oneVM)
		m.Update(press("4"))
		got = m.View()
		fits(t, m, got)
		golden(t, fmt.Sprintf("review-looking-%dx%d", size[0], size[1]), got)
	}
}

// TestThemes keeps one screen of each theme with its escapes.
func TestThemes(t *testing.T) {
	for _, theme := range look.Themes {
		m := screen(t, newFake(), 80, 24, func(o *Options) { oneVM(o); o.Theme = theme })
		keys(m, "2")
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

// TestAnyKeysOnAnySize presses random keys on screens of random sizes.
func TestAnyKeysOnAnySize(t *testing.T) {
	names := []string{"enter", "esc", "up", "down", "left", "right", "pgdown", "pgup", "home", "end", "tab", "shift+tab", "backspace", "delete", "ctrl+u",
		"ctrl+k", "space", "日本語é", "\x00\x1b", "{", "/vm/web01/web01.ova"}
	for _, c := range "?/hjklbdvixacJTyYnpP1234[]:.Qg~'\"," {
		names = append(names, string(c))
	}
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake()
		m := screen(t, f, 80, 24, func(o *Options) {
			o.UTF8 = rapid.Bool().Draw(rt, "utf8")
			switch rapid.IntRange(0, 3).Draw(rt, "begin") {
			case 1:
				oneVM(o)
			case 2:
				threeVMs(o)
			case 3:
				o.Draft = &Draft{Form: answers.Form{VMs: []answers.VM{{"input": "\xff"}, {}}}, At: noon}
			}
		})
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				send(m, tea.WindowSizeMsg{Width: rapid.IntRange(1, 200).Draw(rt, "width"), Height: rapid.IntRange(1, 60).Draw(rt, "height")})
			case 1:
				f.mu.Lock()
				f.fails = rapid.SampledFrom([]error{nil, nil, errors.New("gone\x1b[2J")}).Draw(rt, "fails")
				f.mu.Unlock()
			default:
				send(m, press(rapid.SampledFrom(names).Draw(rt, "key")))
			}
			fits(rt, m, m.View())
		}
	})
}
