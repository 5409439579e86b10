package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/muesli/termenv"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

var noon = time.Date(2026, 11, 22, 14, 2, 11, 0, time.UTC)

func ago(d time.Duration) *time.Time { t := noon.Add(-d); return &t }

// fake is a workflow directory in memory.
type fake struct {
	mu    sync.Mutex
	all   []queue.Job
	st    queue.Status
	live  queue.Liveness
	did   []string
	deny  string
	fails error
	wake  chan struct{}
}

const gib = 1 << 30

func newFake() *fake {
	uid := uint32(1000)
	dir := "/var/lib/hyper2kvm/workflow/"
	wake := make(chan struct{})
	close(wake)
	running := func(name, kind string, size int64, i int, stage string, done int64, rate, eta float64, age time.Duration) queue.Job {
		return queue.Job{
			ID: "01JD5Q7W9K0000000000000" + name[:3], Name: name, OriginalName: name, Kind: kind, State: queue.Running, Path: dir + "processing/" + name,
			Size: size, QueuedAt: ago(age + time.Minute), StartedAt: ago(age), Submitter: &uid, LogPath: "/log/" + name,
			Progress: &queue.Progress{Stage: stage, StageIndex: i, StageCount: 5, BytesDone: done, BytesTotal: size, BytesPerSec: rate, ETASeconds: eta},
		}
	}
	fix := running("web02.ova", "ova", 60*gib, 3, "fix", 0, 0, -1, 8*time.Minute)
	fix.Progress.BytesTotal, fix.Progress.Message = 0, "initramfs is being built"
	return &fake{
		wake: wake, live: queue.LiveRunning,
		st: queue.Status{
			At: noon, StartedAt: noon.Add(-76 * time.Hour), Workers: 4, Busy: 3, State: "busy", Version: "1.0.0",
			Counts: queue.Counts{Queued: 2, Waiting: 1, Running: 3, DoneToday: 2, FailedToday: 2},
			Space:  []queue.Space{{Dir: "/var/lib/hyper2kvm", Free: 412 * gib, Total: 1000 * gib}, {Dir: "/srv/kvm", Free: 1900 * gib, Total: 4000 * gib, Reserved: 640 * gib}},
		},
		all: []queue.Job{
			running("web01.vmdk", "disk", 40*gib, 4, "convert", 29*gib, 96e6, 250, 12*time.Minute),
			fix,
			running("日本語のサーバー.vhdx", "disk", 500*gib, 4, "convert", 60*gib, 88e6, 1860, 5*time.Minute),
			{
				ID: "01JD5Q7W9K0000000000000SQL", Name: "web-sql16.vmdk", OriginalName: "web-sql16.vmdk", Kind: "disk", State: queue.Failed, Size: 120 * gib,
				Path: dir + "failed/2026-11-22/web-sql16.vmdk", Date: "2026-11-22", StartedAt: ago(24 * time.Minute), FinishedAt: ago(21 * time.Minute), Submitter: &uid,
				Code: manifest.CodeSourceTruncated, Reason: "the image ends at 3.0 GiB,\nits header says 120 GiB", Hint: "Copy the file again, then: hyperctl workflow retry JOB",
				LogPath: "/log/sql",
			},
			{Name: "bad\x1b[31m\nname.vmdk", State: queue.Failed, Path: dir + "failed/2026-11-22/bad", Date: "2026-11-22", Code: manifest.CodeSourceMissing, Reason: "parent disk dc01-base.vmdk missing", FinishedAt: ago(40 * time.Minute)},
			{Name: "x_1.vmdk", State: queue.Waiting, Path: dir + "to_be_processed/x_1.vmdk", Reason: "it may be the second disk of x.vmdk", QueuedAt: ago(3 * time.Minute), Size: gib},
			{Name: "web03.vmdk", State: queue.Queued, Path: dir + "to_be_processed/web03.vmdk", QueuedAt: ago(2 * time.Minute), Size: 40 * gib, Submitter: &uid},
			{Name: "web04.vmdk", State: queue.Queued, Path: dir + "to_be_processed/web04.vmdk", QueuedAt: ago(2 * time.Minute), Size: 40 * gib, Submitter: &uid},
			{
				ID: "01JD5Q7W9K0000000000000MAI", Name: "web-mail.vmdk", OriginalName: "web-mail.vmdk", Kind: "disk", State: queue.Done, Size: 200 * gib, Path: dir + "processed/2026-11-22/web-mail.vmdk",
				StartedAt: ago(93 * time.Minute), FinishedAt: ago(62 * time.Minute), OutputDir: "/srv/kvm/2026-11-22/web-mail", Submitter: &uid, LogPath: "/log/mail",
			},
			{Name: "web-proxy.ova", Kind: "ova", State: queue.Done, Size: 16 * gib, Path: dir + "processed/2026-11-22/web-proxy.ova", StartedAt: ago(133 * time.Minute), FinishedAt: ago(131 * time.Minute), Warnings: 2},
		},
	}
}

func (f *fake) Look(_ context.Context, q jobs.Query) (jobs.Screen, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fails != nil {
		return jobs.Screen{}, f.fails
	}
	s := jobs.Screen{Dir: "/var/lib/hyper2kvm/workflow", Status: f.st, Live: f.live, Counts: f.st.Counts, Tabs: map[queue.State]int{}, Rate: 184e6, Left: 800 * gib, Queued: 80 * gib}
	if f.st.State == "paused" {
		s.Paused = "paused by root"
	}
	var match []queue.Job
	for _, j := range f.all {
		s.Tabs[j.State]++
		if j.State == queue.Done {
			s.Ended = append(s.Ended, j)
		}
		if (len(q.States) == 0 || slices.Contains(q.States, j.State)) && strings.Contains(j.Name, q.Filter) {
			match = append(match, j)
		}
	}
	s.Total = len(match)
	s.Cursor = min(max(q.Index, 0), max(s.Total-1, 0))
	for i, j := range match {
		if j.Path == q.Cursor.Path {
			s.Cursor = i
		}
	}
	s.First = max(s.Cursor-q.Rows, 0)
	s.Rows = match[s.First:min(s.Cursor+q.Rows+1, s.Total)]
	return s, nil
}

func (f *fake) Detail(_ context.Context, r jobs.Ref) (jobs.Detail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.all {
		if j.Path != r.Path {
			continue
		}
		d := jobs.Detail{Job: j}
		switch j.State {
		case queue.Failed:
			d.Ended = jobs.Ended{Stage: "inspect", Exception: "open disk\nshort read at 3221225472"}
		case queue.Done:
			if j.Warnings > 0 {
				d.Ended.Warnings = append(d.Ended.Warnings, jobs.Warning{Code: "H2K-BOOT-002", Message: "no boot test is made: QEMU is not installed"},
					jobs.Warning{Code: "H2K-GUEST-004", Message: "/etc/fstab names a disk by its path"})
			}
			d.Report = &manifest.Report{
				Stages: []manifest.StageReport{{Name: "load", Status: "done", Seconds: 9}, {Name: "fix", Status: "skipped", Reason: "guest has no fstab"}, {Name: "convert", Status: "done", Seconds: 1500}},
				Disks:  []manifest.DiskReport{{Source: j.Name, SourceFormat: "vmdk", VirtualSize: j.Size, AllocatedBytes: j.Size / 4, Output: "web.qcow2", OutputBytes: j.Size / 9, Proved: true}},
			}
		}
		return d, nil
	}
	return jobs.Detail{}, queue.ErrNotFound
}

func (f *fake) Log(_ context.Context, path string, _ jobs.Log) (jobs.Log, error) {
	if path == "" {
		return jobs.Log{}, nil
	}
	var l jobs.Log
	for i := range 40 {
		l.Lines = append(l.Lines, fmt.Sprintf("2026-11-22T14:01:%02d.000Z convert  %d.0/40.0 GiB  96 MB/s", i, i))
	}
	l.Lines[20] = "2026-11-22T14:01:20.000Z inspect  warning H2K-GUEST-004: /etc/fstab names the disk /dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part1, which another controller does not have: 日本語"
	l.Lines = append(l.Lines, "2026-11-22T14:01:41.000Z fix      \x1b[31mdracut: write error: No space left on device", "2026-11-22T14:01:42.000Z fix      日本語のログ")
	return l, nil
}

func (f *fake) Do(_ context.Context, verb string, r jobs.Ref) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.deny != "" {
		return "", errors.New(f.deny)
	}
	f.did = append(f.did, verb+" "+r.Name)
	return verb + " will be done", nil
}

func (f *fake) Wake(context.Context) <-chan struct{} { return f.wake }

func (f *fake) asked() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.did, ", ")
}

// screen makes a model of a size and shows it the directory.
func screen(tb testing.TB, f *fake, w, h int, change func(*Options)) *model {
	tb.Helper()
	o := Options{Source: f, Now: func() time.Time { return noon }, Theme: "mono", UTF8: true}
	if change != nil {
		change(&o)
	}
	m, err := newModel(tb.Context(), o, termenv.TrueColor)
	if err != nil {
		tb.Fatal(err)
	}
	drive(m, m.Init())
	send(m, tea.WindowSizeMsg{Width: w, Height: h})
	return m
}

// drive runs a command and what follows from it.
func drive(m *model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil:
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
	"enter": tea.KeyEnter, "esc": tea.KeyEsc, "up": tea.KeyUp, "down": tea.KeyDown, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp, "home": tea.KeyHome,
	"end": tea.KeyEnd, "tab": tea.KeyTab, "backspace": tea.KeyBackspace, "ctrl+u": tea.KeyCtrlU,
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
