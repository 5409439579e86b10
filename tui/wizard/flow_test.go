package wizard

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/exp/teatest"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard/answers"
)

// TestFromFileToManifest goes the whole way with a person's keys.
func TestFromFileToManifest(t *testing.T) {
	f := newFake()
	m := screen(t, f, 80, 24, nil)
	choose(t, m, "web01.ova")
	keys(m, "enter", "tab")
	if m.page != pageStages {
		t.Fatalf("page %d", m.page)
	}
	field(t, m, "fix_grub")
	keys(m, "space", "tab")
	field(t, m, "output_dir")
	keys(m, "enter", "/srv/kvm", "enter", "tab")
	if m.page != pageReview {
		t.Fatalf("page %d: %v", m.page, m.problems)
	}
	keys(m, "enter")
	if m.input == nil || string(m.input.runes) != "./web01.yaml" {
		t.Fatalf("no question for the file: %+v", m.input)
	}
	keys(m, "enter")
	if m.result.Action != SaveAndSubmit || m.result.File != "./web01.yaml" {
		t.Fatalf("%+v", m.result)
	}
	got := f.saved["./web01.yaml"]
	for _, want := range []string{"input: /vm/web01/web01.ova\n", "name: web01\n", "fix_grub: false\n", "output_dir: /srv/kvm\n", "cpu: 2\n", "mem_gb: 4\n", "firmware: uefi\n", "network: VM Network\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if _, problems := manifest.Load("web01.yaml", []byte(got)); len(problems) > 0 {
		t.Error(problems)
	}
	if !f.draft.Equal(m.form) {
		t.Errorf("the draft is %v, the form %v", f.draft.VMs, m.form.VMs)
	}
}

// TestPreviewIsOfTheAnswersAsTheyAre: it is made on the steps that show it, of right answers only, and anew when they change.
func TestPreviewIsOfTheAnswersAsTheyAre(t *testing.T) {
	f := newFake()
	m := screen(t, f, 80, 24, oneVM)
	keys(m, "tab")
	if len(f.asked) != 0 {
		t.Errorf("previews were made before anybody sees them: %v", f.asked)
	}
	keys(m, "tab", "?", "?", "up", "down")
	if _, there := m.foreseen(); !there || len(f.asked) != 1 {
		t.Errorf("on the step Output: %v", f.asked)
	}
	field(t, m, "output_format")
	keys(m, "right")
	if _, there := m.foreseen(); !there || len(f.asked) != 2 {
		t.Errorf("after a change: %v", f.asked)
	}
	field(t, m, "compress_level")
	keys(m, "enter", "x", "enter")
	if _, there := m.foreseen(); there || len(f.asked) != 2 || !strings.Contains(m.View(), "known when nothing is wrong any more") {
		t.Errorf("of wrong answers: %v\n%s", f.asked, m.View())
	}
	keys(m, "d", "tab", "i")
	if last := f.asked[len(f.asked)-1]; !last.copy || m.page != pageReview {
		t.Errorf("files are handed in, but the preview is of files that are not: %v", f.asked)
	}
	f.fails = errors.New("the workflow directory is gone")
	keys(m, "i", "p")
	if !strings.Contains(m.View(), "cannot be looked at: the workflow directory is gone") {
		t.Errorf("%s", m.View())
	}
}

// TestWhatWouldFailIsAskedFor: nothing that would fail, or find no space, is submitted without a question. Saving is.
func TestWhatWouldFailIsAskedFor(t *testing.T) {
	for name, change := range map[string]func(*fake){
		"web01 would fail: H2K-SRC-004 too short. Go on?": func(f *fake) {
			f.ahead.VMs[0] = Planned{Name: "web01", Fails: "too short", Code: manifest.CodeSourceTruncated}
		},
		"the space runs short, so that the job waits: output /srv/kvm: 1.86 TiB free, 640 GiB of it reserved; needs at most 1.27 TiB. Go on?": func(f *fake) {
			f.ahead.Places[0].Need = 1300 * gib
		},
	} {
		f := newFake()
		change(f)
		m := screen(t, f, 80, 24, oneVM)
		keys(m, "4", "right", "right", "enter")
		if m.ask == nil || m.ask.text != name {
			t.Fatalf("asked %+v, want %q", m.ask, name)
		}
		keys(m, "n")
		if m.result.Action != Left {
			t.Errorf("%s: no was taken for yes", name)
		}
		keys(m, "enter", "y")
		if m.result.Action != Submit {
			t.Errorf("%s: yes did %d", name, m.result.Action)
		}
		m = screen(t, f, 80, 24, oneVM)
		keys(m, "4", "right", "enter")
		if m.ask != nil || m.input == nil {
			t.Errorf("%s: saving asks %+v", name, m.ask)
		}
	}
}

// TestGuestsAreLookedIntoOnce, when somebody asks, and again when the answers are others. Nothing is left running at the end.
func TestGuestsAreLookedIntoOnce(t *testing.T) {
	f := newFake()
	m := screen(t, f, 80, 24, oneVM)
	keys(m, "4", "v", "v", "v", "v", "v")
	if f.looks != 0 || !strings.Contains(m.View(), "P looks into the guest") {
		t.Errorf("looked %d times:\n%s", f.looks, m.View())
	}
	_, cmd := m.Update(press("P"))
	if !strings.Contains(m.View(), "looking into the guest") {
		t.Errorf("%s", m.View())
	}
	drive(m, cmd)
	m.changes.end()
	keys(m, "P", "v", "P")
	if f.looks != 1 || !strings.Contains(m.View(), "+UUID=6c1e") {
		t.Errorf("looked %d times:\n%s", f.looks, m.View())
	}
	keys(m, "3")
	field(t, m, "output_format")
	keys(m, "right", "tab", "P")
	if f.looks != 2 {
		t.Errorf("looked %d times", f.looks)
	}
	f.fails = errors.New("there is no libguestfs")
	keys(m, "i", "P")
	if !strings.Contains(m.View(), "cannot look into the guest: there is no libguestfs") {
		t.Errorf("%s", m.View())
	}
}

// TestPreviewTexts: what is known is said, and what is not known too.
func TestPreviewTexts(t *testing.T) {
	one := Planned{Took: 90 * time.Second, Known: true}
	for got, want := range map[string]string{
		Preview{VMs: []Planned{one}, Past: 1}.Time():      "about 1m30s, as the last 1 job went",
		Preview{VMs: []Planned{one, one}, Past: 4}.Time(): "about 3m00s, as the last 4 jobs went, if one runs at a time",
		Preview{VMs: []Planned{{Took: time.Minute, Known: true, Apart: []string{"fix"}}, {Took: time.Minute, Known: true, Apart: []string{"fix"}}}, Past: 4}.Time(): "at least 2m00s, as the last 4 jobs went, and what fix takes, which is not known here, if one runs at a time",
		Place{What: "output", Dir: "/o", Free: gib, Need: gib, Repairs: true}.String():                                                                              "output /o: 1.00 GiB free; needs at most 1.00 GiB with repairs",
		Preview{VMs: []Planned{one, {}}, Past: 4}.Time():                                                                                                            "time unknown",
		Preview{VMs: []Planned{{}}}.Time():                                                                                                                          "time unknown: no job has finished here that it could be estimated from",
		Place{What: "output", Dir: "/o", Free: gib, Total: gib, Vague: true}.String():                                                                               "output /o: 1.00 GiB free; the need is known when the sources are unpacked",
		Place{What: "output", Dir: "/o", Free: gib, Need: gib, Vague: true}.String():                                                                                "output /o: 1.00 GiB free; needs more than 1.00 GiB",
		Place{What: "queue", Dir: "/w", Free: gib}.String():                                                                                                         "queue /w: 1.00 GiB free; nothing is needed",
		Place{What: "queue", Unknown: "permission denied"}.String():                                                                                                 "queue: permission denied",
		Preview{Before: 1}.Turn(): "1 job is queued before it",
		Preview{VMs: []Planned{{Name: "a", Fails: "x"}, {Name: "b", Fails: "y"}}}.Objection(): "a would fail: x (and 1 more)",
	} {
		if got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

// TestGoingBackLosesNothing: whatever was answered is there on the way back and forth.
func TestGoingBackLosesNothing(t *testing.T) {
	m := screen(t, newFake(), 80, 24, threeVMsRight)
	before := m.form.Clone()
	keys(m, "tab", "tab", "tab", "shift+tab", "shift+tab", "shift+tab", "shift+tab", "4", "esc", "esc", "1", "b", "b", "?", "?", "J", "esc", "T")
	if !m.form.Equal(before) {
		t.Errorf("%v became %v", before.VMs, m.form.VMs)
	}
}

func threeVMsRight(o *Options) {
	threeVMs(o)
	o.Form.VMs[2] = answers.VM{"input": "c.vmdk"}
}

// TestWrongAnswersHoldUp: the next step waits until this one is right, in every VM before anything is written.
func TestWrongAnswersHoldUp(t *testing.T) {
	m := screen(t, newFake(), 80, 24, oneVM)
	field(t, m, "vm.cpu")
	keys(m, "enter", "ctrl+u", "none", "enter", "tab")
	if m.page != pageSource || !strings.Contains(m.View(), `want a whole number from 0 to 4096`) {
		t.Errorf("went on to page %d:\n%s", m.page, m.View())
	}
	keys(m, "4", "3")
	if m.page != pageSource {
		t.Errorf("jumped to page %d", m.page)
	}
	keys(m, "d", "tab")
	if m.page != pageStages {
		t.Errorf("held up at page %d: %v", m.page, m.problems)
	}
	f := newFake()
	m = screen(t, f, 80, 24, threeVMs)
	keys(m, "4", "enter")
	if m.page == pageReview || m.vm != 2 || len(f.saved) > 0 {
		t.Errorf("page %d, VM %d, saved %v", m.page, m.vm, f.saved)
	}
}

// TestTypingIsChecked: a mistake is shown while it is typed, and esc takes it back.
func TestTypingIsChecked(t *testing.T) {
	m := screen(t, newFake(), 80, 24, oneVM)
	field(t, m, "name")
	keys(m, "enter", "/")
	if p, ok := m.problem("name"); !ok || p.Code != manifest.CodePolicyName {
		t.Errorf("problems: %v", m.problems)
	}
	keys(m, "esc")
	if _, ok := m.problem("name"); ok || m.current()["name"] != "web01" {
		t.Errorf("name %q", m.current()["name"])
	}
	keys(m, "enter", "home", "x", "end", "y", "left", "backspace", "delete", "z", "enter")
	if got := m.current()["name"]; got != "xweb0z" {
		t.Errorf("name %q", got)
	}
	send(m, press("enter"))
	send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("a\nb"), Paste: true})
	send(m, press("enter"))
	if got := m.current()["name"]; got != "xweb0za b" {
		t.Errorf("name %q", got)
	}
	send(m, tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("q"), Paste: true})
	if m.result.Action != Left || m.page != pageSource {
		t.Error("a paste was taken for keys")
	}
}

func TestDisks(t *testing.T) {
	m := screen(t, newFake(), 80, 24, nil)
	for _, name := range []string{"web01.vmdk", "web01-000001.vmdk", "web01.vmdk", "web01-flat.vmdk"} {
		choose(t, m, name)
		keys(m, "space")
	}
	if got := m.current()["input"]; got != "/vm/web01/web01-000001.vmdk\n/vm/web01/web01-flat.vmdk" {
		t.Errorf("input %q", got)
	}
	keys(m, "b", "home", "d")
	if got := m.current()["input"]; got != "/vm/web01/web01-flat.vmdk" {
		t.Errorf("input %q", got)
	}
	keys(m, "down", "enter", "more.raw", "enter")
	if got := m.current()["input"]; got != "/vm/web01/web01-flat.vmdk\nmore.raw" {
		t.Errorf("input %q", got)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	m := screen(t, newFake(), 80, 24, nil)
	choose(t, m, "bad\x1b[31m\nname.vmdk")
	keys(m, "enter", "space")
	if !m.form.Empty() {
		t.Errorf("took %v", m.form.VMs)
	}
	keys(m, "left")
	if m.files.dir != "/vm" || !m.files.more {
		t.Errorf("in %q", m.files.dir)
	}
	if e, _ := m.files.under(); e.Name != "web01" {
		t.Errorf("the cursor is on %q, not on the folder that was left", e.Name)
	}
	choose(t, m, "pipe.vmdk")
	keys(m, "enter")
	if !m.form.Empty() {
		t.Errorf("took %v", m.form.VMs)
	}
	keys(m, "/", "ctrl+u", "/nowhere", "enter")
	if m.files.dir != "/vm" || !strings.Contains(m.View(), "cannot read /nowhere") {
		t.Errorf("in %q:\n%s", m.files.dir, m.View())
	}
}

// TestDescriptions: a VMX beside a disk is offered and fills in what it says; answers that are there stay, unless asked for.
func TestDescriptions(t *testing.T) {
	m := screen(t, newFake(), 80, 24, nil)
	choose(t, m, "web01.vmdk")
	keys(m, "enter")
	if !strings.Contains(m.View(), "web01.vmx describes this VM") || m.current()["vm.cpu"] != "" {
		t.Errorf("%v\n%s", m.current(), m.View())
	}
	keys(m, "v")
	if vm := m.current(); vm["vm.cpu"] != "4" || vm["vm.mem_mb"] != "1536" || vm["name"] != "web01" {
		t.Errorf("%v", vm)
	}
	keys(m, "b")
	choose(t, m, "web01.ova")
	keys(m, "v")
	if vm := m.current(); vm["vm.cpu"] != "2" || vm["vm.mem_gb"] != "4" || vm["vm.mem_mb"] != "" || !strings.HasSuffix(vm["input"], "web01.vmdk") {
		t.Errorf("%v", vm)
	}
	m.current().Set("vm.cpu", "8")
	m.changed()
	keys(m, "enter")
	if vm := m.current(); vm["vm.cpu"] != "8" || !strings.HasSuffix(vm["input"], "web01.ova") {
		t.Errorf("%v", vm)
	}
}

func TestSeveralVMs(t *testing.T) {
	m := screen(t, newFake(), 80, 24, oneVM)
	keys(m, "c")
	choose(t, m, "web01.ova")
	keys(m, "enter", "a", "b")
	if n := len(m.form.VMs); n != 3 || m.vm != 2 || m.form.VMs[1]["compression"] != "zstd" || m.form.VMs[1]["name"] != "web01" {
		t.Fatalf("%d VMs: %v", n, m.form.VMs)
	}
	keys(m, "[", "[")
	if m.vm != 0 {
		t.Errorf("VM %d", m.vm)
	}
	keys(m, "J", "end", "x", "n")
	if len(m.form.VMs) != 3 {
		t.Error("removed without yes")
	}
	keys(m, "x", "y")
	if len(m.form.VMs) != 2 || m.vm != 1 {
		t.Errorf("%d VMs, at %d", len(m.form.VMs), m.vm)
	}
	keys(m, "home", "x", "y", "x")
	if len(m.form.VMs) != 1 || m.ask != nil {
		t.Errorf("%d VMs, %v", len(m.form.VMs), m.ask)
	}
}

func TestEnds(t *testing.T) {
	there := func(f *fake) { f.saved["./web01.yaml"] = "old" }
	for _, tt := range []struct {
		name   string
		keys   []string
		change func(*fake)
		action Action
		file   string
	}{
		{"leave", []string{"q"}, nil, Left, ""},
		{"discard", []string{"Q", "y"}, nil, Discarded, ""},
		{"discard not", []string{"Q", "n"}, nil, Left, ""},
		{"submit", []string{"4", "right", "right", "enter"}, nil, Submit, ""},
		{"print", []string{"4", "left", "enter"}, nil, Print, ""},
		{"save", []string{"4", "right", "enter", "enter"}, nil, Save, "./web01.yaml"},
		{"save elsewhere", []string{"4", "right", "enter", "ctrl+u", "/tmp/x.json", "enter"}, nil, Save, "/tmp/x.json"},
		{"replace", []string{"4", "right", "enter", "enter", "y"}, there, Save, "./web01.yaml"},
		{"replace not", []string{"4", "right", "enter", "enter", "n"}, there, Left, ""},
	} {
		f := newFake()
		if tt.change != nil {
			tt.change(f)
		}
		m := screen(t, f, 80, 24, oneVM)
		keys(m, tt.keys...)
		if m.result.Action != tt.action || m.result.File != tt.file {
			t.Errorf("%s: %+v", tt.name, m.result)
		}
		if strings.HasSuffix(tt.file, ".json") != strings.HasPrefix(f.saved[tt.file], "{") {
			t.Errorf("%s: %s", tt.name, f.saved[tt.file])
		}
		if tt.name == "replace not" && f.saved["./web01.yaml"] != "old" {
			t.Error("the file was replaced")
		}
	}
}

func TestDrafts(t *testing.T) {
	offer := func(o *Options) {
		o.Draft = &Draft{Form: answers.Form{VMs: []answers.VM{{"input": "a.vmdk", "vm.cpu": "4x"}}}, At: noon}
	}
	m := screen(t, newFake(), 80, 24, offer)
	keys(m, "x", "enter", "esc", "?", "y")
	if m.page != pageSource || m.current()["vm.cpu"] != "4x" {
		t.Errorf("page %d: %v", m.page, m.form.VMs)
	}
	f := newFake()
	m = screen(t, f, 80, 24, offer)
	keys(m, "n")
	if m.page != pageFiles || !m.form.Empty() || len(f.draft.VMs) > 0 {
		t.Errorf("page %d: %v, %v", m.page, m.form.VMs, f.draft.VMs)
	}
	f.fails = errors.New("no space left on device")
	keys(m, "b", "down", "right")
	field(t, m, "name")
	keys(m, "enter", "x", "enter")
	if !strings.Contains(m.View(), "no draft") {
		t.Errorf("nobody was told:\n%s", m.View())
	}
}

// TestCommandSaysTheSame: the command line gives the same answers; the program's own test runs it.
func TestCommandSaysTheSame(t *testing.T) {
	got := strings.Join(Command(Result{Action: SaveAndSubmit, File: "a b.yaml", Copy: true, Form: answers.Form{VMs: []answers.VM{{"input": "it's.vmdk", "fix": "false", "tags": "a=b c"}}}}), " ")
	want := `hyperctl manifest create --no-tui --input 'it'\''s.vmdk' --fix=false --tags 'a=b c' --save 'a b.yaml' --submit --copy`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// stuck are files on a file system that does not answer.
type stuck struct {
	*fake
	free chan struct{}
}

func (s stuck) Probe(context.Context, string) (Facts, error) {
	<-s.free
	return Facts{}, fs.ErrNotExist
}

// TestDeadFileSystem: reads that hang hold a few goroutines and no key, and are given up.
func TestDeadFileSystem(t *testing.T) {
	s := stuck{newFake(), make(chan struct{})}
	defer close(s.free)
	g := newGate()
	for range gateWidth {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := pass(ctx, g, func(ctx context.Context) (Facts, error) { return s.Probe(ctx, "x") }); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if _, err := pass(t.Context(), g, func(ctx context.Context) (Facts, error) { return s.Probe(ctx, "x") }); !errors.Is(err, errBusy) {
		t.Errorf("err = %v", err)
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
		for p := pageSource; p <= pageHelp; p <<= 1 {
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
	if !slices.ContainsFunc(m.actions, func(a action) bool { return a.pages&pageDraft != 0 && a.foot == "quit" }) {
		t.Error("nobody gets out of the question for the draft")
	}
}

// TestProgram runs the whole program on a terminal that is none.
func TestProgram(t *testing.T) {
	f := newFake()
	m := screen(t, f, 80, 24, oneVM)
	tm := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(80, 24))
	shows := func(want string) {
		t.Helper()
		teatest.WaitFor(t, tm.Output(), func(b []byte) bool { return bytes.Contains(b, []byte(want)) }, teatest.WithDuration(5*time.Second))
	}
	shows("New manifest")
	tm.Type("2")
	shows("fstab_mode")
	tm.Type("4")
	shows("Save and submit")
	tm.Send(press("left"))
	tm.Send(press("enter"))
	tm.WaitFinished(t, teatest.WithFinalTimeout(5*time.Second))
	if m.result.Action != Print {
		t.Errorf("%+v", m.result)
	}
}

// breaks panics when it is painted.
type breaks struct{ *model }

func (breaks) View() string { panic("a mistake") }

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
