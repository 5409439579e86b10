package wizard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard/answers"
)

var noon = time.Date(2026, 11, 22, 14, 2, 11, 0, time.UTC)

const gib = 1 << 30

// fake are files in memory, and where drafts and manifests go.
type fake struct {
	mu    sync.Mutex
	dirs  map[string][]Entry
	facts map[string]Facts
	draft answers.Form
	ahead Preview
	looks int       // into guests
	asked []version // what previews were made of
	saved map[string]string
	fails error
}

func newFake() *fake {
	return &fake{
		ahead: Preview{
			Past: 12, Before: 3,
			VMs: []Planned{{Name: "web01", Took: 6*time.Minute + 12*time.Second, Known: true, Plan: []string{
				"plan for web01", "  load      open web01.vmdk: vmdk monolithicFlat, 40.0 GiB, 21.0 GiB to read", "  inspect   find the operating system", "  fix       repair the boot loader's configuration",
				"  convert   web01.vmdk -> web01.qcow2: qcow2, compressed with zstd, at most 21.8 GiB", "  validate  read the images back and compare their content with the source's", "writes at most 21.8 GiB",
			}}},
			Places: []Place{
				{What: "output", Dir: "/srv/kvm", Free: 1900 * gib, Total: 4000 * gib, Reserved: 640 * gib, Need: 218 * gib / 10},
				{What: "queue", Dir: "/var/lib/hyper2kvm/workflow", Free: 412 * gib, Total: 1000 * gib},
			},
		},
		saved: map[string]string{},
		dirs: map[string][]Entry{
			"/vm": {{Name: "web01", Dir: true}, {Name: "pipe.vmdk", Odd: true}},
			"/vm/web01": {
				{Name: "old", Dir: true}, {Name: ".hidden.vmdk", Bytes: 5}, {Name: "bad\x1b[31m\nname.vmdk", Bytes: 4096}, {Name: "notes.txt", Bytes: 2048}, {Name: "old.img.gz", Bytes: 900 << 20},
				{Name: "web01-000001.vmdk", Bytes: 3 * gib}, {Name: "web01-flat.vmdk", Bytes: 40 * gib}, {Name: "web01.ova", Bytes: 9 * gib},
				{Name: "web01.vmdk", Bytes: 1024}, {Name: "web01.vmx", Bytes: 3000}, {Name: "日本語の名前のとても長いディスクイメージのファイル.vhdx", Bytes: 7 * gib},
			},
			"/vm/web01/old": {},
		},
		facts: map[string]Facts{
			"web01.vmdk":        {Kind: "vmdk", Detail: "monolithicFlat", Virtual: 40 * gib, Allocated: 21 * gib, Disks: 1, Parts: []string{"web01-flat.vmdk"}},
			"old.img.gz":        {Detail: "packed with gzip", Disks: 1},
			"web01-flat.vmdk":   {Kind: "raw", Virtual: 40 * gib, Allocated: 21 * gib, Disks: 1},
			"web01-000001.vmdk": {Kind: "vmdk", Detail: "monolithicSparse", Virtual: 40 * gib, Allocated: 23 * gib, Disks: 1, Chain: []string{"web01-000001.vmdk", "web01.vmdk"}},
			"web01.ova": {Kind: "ova", Virtual: 60 * gib, Allocated: 9 * gib, Disks: 2, Described: true, Name: "web01", Machine: manifest.Machine{
				CPUs: 2, MemoryMiB: 4096, Firmware: "uefi", NICs: []manifest.NIC{{MAC: "00:50:56:ab:cd:ef", Network: "VM Network"}},
			}},
			"web01.vmx": {Kind: "vmx", Virtual: 40 * gib, Allocated: 21 * gib, Disks: 1, Described: true, Name: "web01", Machine: manifest.Machine{CPUs: 4, MemoryMiB: 1536}},
		},
	}
}

func (f *fake) List(_ context.Context, dir string) ([]Entry, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return nil, false, f.fails
	}
	e, ok := f.dirs[dir]
	if !ok {
		return nil, false, &fs.PathError{Op: "open", Path: dir, Err: fs.ErrNotExist}
	}
	return e, dir == "/vm", nil
}

func (f *fake) Probe(_ context.Context, path string) (Facts, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	facts, ok := f.facts[filepath.Base(path)]
	if !ok {
		return Facts{}, errors.New("no known format: \x1b[2J")
	}
	return facts, nil
}

func (f *fake) preview(_ context.Context, _ answers.Form, copy bool) (Preview, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, version{len(f.asked), copy})
	return f.ahead, f.fails
}

func (f *fake) changes(_ context.Context, _ answers.Form, vm int) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	return strings.Split(fmt.Sprintf("warning H2K-FIX-003: VM %d has no room in /boot", vm+1)+"\n/etc/fstab: stable names\n--- a/etc/fstab\n+++ b/etc/fstab\n@@ -1 +1 @@\n-/dev/sda2 / ext4\n+UUID=6c1e\x1b[2J / ext4\n", "\n"), f.fails
}

func (f *fake) keep(form answers.Form) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.draft = form
	return f.fails
}

func (f *fake) save(path string, content []byte, replace bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, there := f.saved[path]; there && !replace {
		return fs.ErrExist
	}
	f.saved[path] = string(content)
	return nil
}

// screen makes a model of a size.
func screen(tb testing.TB, f *fake, w, h int, change func(*Options)) *model {
	tb.Helper()
	o := Options{
		Now: func() time.Time { return noon }, Theme: "mono", UTF8: true, Form: answers.New(), Dir: "/vm/web01", Files: f, Keep: f.keep, Save: f.save, Preview: f.preview, Changes: f.changes,
	}
	if change != nil {
		change(&o)
	}
	m, err := newModel(tb.Context(), o, termenv.TrueColor)
	if err != nil {
		tb.Fatal(err)
	}
	m.keepAfter = 0
	send(m, tea.WindowSizeMsg{Width: w, Height: h})
	drive(m, m.Init())
	return m
}

// drive runs a command and what follows from it.
func drive(m *model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case tea.QuitMsg:
	case tea.BatchMsg:
		for _, c := range msg {
			drive(m, c)
		}
	default:
		send(m, msg)
	}
}

func send(m *model, msg tea.Msg) {
	_, cmd := m.Update(msg)
	drive(m, cmd)
}

var special = map[string]tea.KeyType{
	"enter": tea.KeyEnter, "esc": tea.KeyEsc, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight, "pgdown": tea.KeyPgDown,
	"pgup": tea.KeyPgUp, "home": tea.KeyHome, "end": tea.KeyEnd, "tab": tea.KeyTab, "shift+tab": tea.KeyShiftTab, "backspace": tea.KeyBackspace,
	"delete": tea.KeyDelete, "ctrl+u": tea.KeyCtrlU, "ctrl+k": tea.KeyCtrlK, "ctrl+c": tea.KeyCtrlC,
}

func press(name string) tea.KeyMsg {
	switch t, ok := special[name]; {
	case ok:
		return tea.KeyMsg{Type: t}
	case name == "space":
		return tea.KeyMsg{Type: tea.KeySpace, Runes: []rune{' '}}
	}
	return tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(name)}
}

func keys(m *model, names ...string) {
	for _, n := range names {
		send(m, press(n))
	}
}

// choose puts the cursor on a file by its name.
func choose(t *testing.T, m *model, name string) {
	t.Helper()
	for i, e := range m.files.shown() {
		if e.Name == name {
			m.files.at = i
			return
		}
	}
	t.Fatalf("%q is not listed", name)
}

// field puts the cursor on a field of the step that is shown.
func field(t *testing.T, m *model, path string) {
	t.Helper()
	for i, r := range m.rows(m.step()) {
		if r.Path == path {
			m.at[m.step()] = i
			return
		}
	}
	t.Fatalf("%q is not in this step", path)
}
