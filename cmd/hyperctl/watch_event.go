package main

import (
	"cmp"
	"fmt"
	"time"

	"hyper2kvm/internal/queue"
)

// watchEvent is a line of watch in JSON.
type watchEvent struct {
	Time     time.Time      `json:"time"`
	Type     string         `json:"type"` // state, stage, progress, queue, joined, gone, daemon, heartbeat, summary
	Liveness queue.Liveness `json:"liveness,omitempty"`
	Message  string         `json:"message,omitempty"`
	Job      *jobDoc        `json:"job,omitempty"`
	Ended    *int           `json:"ended,omitempty"`  // of a summary: how many jobs ended
	Failed   *int           `json:"failed,omitempty"` // of a summary: how many of them failed
}

// eventRow is an event in TSV.
type eventRow struct {
	Time    time.Time   `json:"time"`
	Type    string      `json:"type"`
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	State   queue.State `json:"state"`
	Stage   string      `json:"stage"`
	Percent *float64    `json:"percent"`
	Code    string      `json:"code"`
	Message string      `json:"message"`
}

// row implements tabular: what happened to which job, in one line.
func (e watchEvent) row() any {
	r := eventRow{Time: e.Time, Type: e.Type, Message: e.Message}
	if j := e.Job; j != nil {
		r.ID, r.Name, r.State, r.Stage, r.Percent, r.Code = j.ID, j.Name, j.State, j.Stage, j.Percent, j.Code
		r.Message = cmp.Or(r.Message, j.Reason, j.OutputDir)
	}
	return r
}

// say prints a line about a job.
func (w *watcher) say(now time.Time, kind string, j queue.Job) {
	d := newJobDoc(j, now)
	w.con.event(watchEvent{Time: now, Type: kind, Job: &d}, clean(j.Name)+" "+changeText(j))
}

// tell prints a line about the queue or the daemon.
func (w *watcher) tell(now time.Time, kind, text string) {
	e := watchEvent{Time: now, Type: kind, Message: text}
	if kind == "daemon" {
		e.Liveness = w.live
	}
	w.con.event(e, text)
}

// event prints a line: text for people, one JSON object for programs.
func (c *console) event(e watchEvent, text string) {
	c.told = c.now()
	switch {
	case c.opts.output == outName:
		if e.Job != nil {
			fmt.Fprintln(c.out, clean(jobKey(e.Job.Job)))
		}
	case c.opts.output.documents():
		if b, err := c.encodeOne(e); err == nil {
			fmt.Fprintf(c.out, "%s", b)
		}
	default:
		fmt.Fprintf(c.out, "%s %s\n", e.Time.Format(time.TimeOnly), text)
	}
}

// changeText says what a job does now, or how it ended.
func changeText(j queue.Job) string {
	switch j.State {
	case queue.Running:
		if j.Progress == nil || j.Progress.Stage == "" {
			return "started"
		}
		return progressLine(j.Progress)
	case queue.Done:
		s := "done"
		if j.StartedAt != nil && j.FinishedAt != nil {
			s += " in " + tookText(j.FinishedAt.Sub(*j.StartedAt))
		}
		return s + resultText(j)
	case queue.Failed:
		s := "failed"
		if j.Code != "" {
			s += " " + clean(j.Code)
		}
		if j.Reason != "" {
			s += ": " + cleanLine(j.Reason)
		}
		return s + "  try: hyperctl workflow show " + quoteArg(clean(jobKey(j)))
	case queue.Waiting:
		return "waits: " + cleanLine(j.Reason)
	case queue.Ignored:
		return "is no job: " + cleanLine(j.Reason)
	}
	return string(j.State)
}
