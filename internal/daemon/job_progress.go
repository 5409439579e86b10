package daemon

import (
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// publishEvery bounds how often progress.json is replaced: twice a second.
const publishEvery = 500 * time.Millisecond

// rateWindow is over how long the rate is measured: long enough to be calm, short enough to follow a slow disk.
const rateWindow = 10 * time.Second

// progressMeter turns a child's messages into progress.json: bytes, rate and time left, never invented.
type progressMeter struct {
	clock   func() time.Time
	publish func(queue.Progress) error
	id      string

	now     queue.Progress
	samples []sample // of the current stage, within rateWindow
	last    time.Time
}

type sample struct {
	at   time.Time
	done int64
}

// stage begins a stage, and publishes it at once.
func (p *progressMeter) stage(m message) {
	if m.Status != stageStart {
		return
	}
	p.now = queue.Progress{Schema: 1, ID: p.id, Stage: m.Stage, StageIndex: m.Index, StageCount: m.Count, ETASeconds: -1}
	p.samples = nil
	p.put(p.clock())
}

// progress takes bytes done of bytes to do.
func (p *progressMeter) progress(m message) {
	at := p.clock()
	if m.Done < p.now.BytesDone || m.Stage != p.now.Stage {
		return // never backwards
	}
	p.now.BytesDone, p.now.BytesTotal = m.Done, m.Total
	p.samples = append(p.samples, sample{at, m.Done})
	for len(p.samples) > 2 && at.Sub(p.samples[0].at) > rateWindow {
		p.samples = p.samples[1:]
	}
	first := p.samples[0]
	if took := at.Sub(first.at).Seconds(); took > 0 {
		p.now.BytesPerSec = float64(m.Done-first.done) / took
	}
	p.now.ETASeconds = -1
	if p.now.BytesPerSec > 0 && m.Total >= m.Done {
		p.now.ETASeconds = float64(m.Total-m.Done) / p.now.BytesPerSec
	}
	if at.Sub(p.last) >= publishEvery || m.Done == m.Total {
		p.put(at)
	}
}

// put publishes. A progress file that cannot be written costs a view, never the job.
func (p *progressMeter) put(at time.Time) {
	p.now.At, p.last = at, at
	_ = p.publish(p.now)
}

// jobLog writes a job's log: a time, a stage and a text a line.
type jobLog struct {
	mu    sync.Mutex
	w     io.Writer
	clock func() time.Time
}

func (l *jobLog) line(stage, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.clock().Format("2006-01-02T15:04:05.000Z07:00")
	for part := range strings.Lines(text) {
		fmt.Fprintf(l.w, "%s %-8s %s\n", at, stage, strings.TrimRight(part, "\r\n"))
	}
}

// stage logs the begin or the end of a stage.
func (l *jobLog) stage(m message) {
	text := m.Status
	if m.Text != "" {
		text += ": " + m.Text
	}
	if m.Status != stageStart && m.Status != manifest.StageSkipped {
		text += fmt.Sprintf(" (%.1f s)", m.Took.Seconds())
	}
	l.line(m.Stage, text)
}

// describeExit says how a process ended that gave no result, with its last words.
func describeExit(err error, tail string) string {
	how := "it ended by itself"
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // exec documents this type
		how = exit.String()
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
			how += "; the kernel may have been out of memory"
		}
	} else if err != nil {
		how = err.Error()
	}
	if tail = strings.TrimSpace(tail); tail != "" {
		lines := strings.Split(tail, "\n")
		how += "; last words: " + strings.Join(lines[max(0, len(lines)-3):], " | ")
	}
	return how
}
