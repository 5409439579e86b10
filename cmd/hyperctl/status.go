package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newStatus(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell whether the daemon runs, and what it does (exit code 5 when it does not)",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runStatus(cmd.Context(), con) },
	}
}

// statusDoc is the status in JSON and YAML: the daemon's heartbeat and what the client makes of it.
type statusDoc struct {
	WorkflowDir   string         `json:"workflow_dir"`
	Liveness      queue.Liveness `json:"liveness"`
	Running       bool           `json:"running"`
	UptimeSeconds *float64       `json:"uptime_seconds,omitempty"`
	AgeSeconds    *float64       `json:"heartbeat_age_seconds,omitempty"`
	HeldBy        []heldReason   `json:"held_by,omitempty"` // why entries wait, the commonest reason first
	Left          []leftDoc      `json:"left,omitempty"`    // requests that wait for a daemon that does not run
	queue.Status
}

// leftDoc is a request that waits for the daemon.
type leftDoc struct {
	Verb     string `json:"verb"`
	Job      string `json:"job,omitempty"`
	Priority int    `json:"priority,omitempty"`
	By       string `json:"by,omitempty"` // as they say
	Reason   string `json:"reason,omitempty"`
}

// leftFor are the requests that a daemon finds when it starts.
func leftFor(sp *queue.Spool) (left []leftDoc) {
	all, err := sp.Left()
	if err != nil {
		return nil // there is no place for them yet
	}
	for _, c := range all {
		left = append(left, leftDoc{c.Verb, c.Job, c.Priority, c.By, c.Reason})
	}
	return left
}

// String is a request on one line.
func (l leftDoc) String() string {
	s := l.Verb
	if l.Job != "" {
		s += " " + l.Job
	}
	if l.Priority != 0 {
		s += " " + queue.PriorityText(l.Priority)
	}
	if l.By != "" {
		s += ", by " + l.By
	}
	if l.Reason != "" {
		s += ": " + l.Reason
	}
	return s
}

// statusRow is the status in TSV.
type statusRow struct {
	WorkflowDir   string         `json:"workflow_dir"`
	Liveness      queue.Liveness `json:"liveness"`
	State         string         `json:"state"`
	Version       string         `json:"version"`
	PID           int            `json:"pid"`
	Mode          string         `json:"mode"`
	UptimeSeconds *float64       `json:"uptime_seconds"`
	AgeSeconds    *float64       `json:"heartbeat_age_seconds"`
	Workers       int            `json:"workers"`
	Busy          int            `json:"busy"`
	queue.Counts
	OutputDir string `json:"output_dir"`
}

// row implements tabular: one line with the counts.
func (d statusDoc) row() any {
	return statusRow{d.WorkflowDir, d.Liveness, d.State, d.Version, d.PID, d.Mode, d.UptimeSeconds, d.AgeSeconds, d.Workers, d.Busy, d.Counts, d.OutputDir}
}

// heldReason is a reason for which entries do not run, and how many they are.
type heldReason struct {
	State   queue.State `json:"state"`
	Reason  string      `json:"reason"`
	Count   int         `json:"count"`
	Example string      `json:"example"`
}

func runStatus(ctx context.Context, con *console) error {
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	st, live, err := daemonStatus(sp)
	if err != nil {
		return err
	}
	if live != queue.LiveRunning {
		st.Held, st.HeldMore = nil, 0 // nobody says why something waits while the daemon is away
	}
	// The heartbeat's counts may be two seconds old: what was submitted just now shall be seen.
	if st.Counts, err = sp.Count(ctx); err != nil {
		return err
	}
	now := con.now()
	doc := statusDoc{WorkflowDir: sp.Dir(), Liveness: live, Running: live == queue.LiveRunning, HeldBy: heldReasons(st.Held), Status: st}
	if live == queue.LiveRunning || live == queue.LiveHung {
		up, age := now.Sub(st.StartedAt).Seconds(), now.Sub(st.At).Seconds()
		doc.UptimeSeconds, doc.AgeSeconds = &up, &age
	}
	if live == queue.LiveNotRunning || live == queue.LiveNeverStarted {
		doc.Left = leftFor(sp)
	}
	err = con.printOne(doc, string(live), func(w io.Writer) { writeStatus(w, con.style, doc, now) })
	if err != nil {
		return err
	}
	if f := daemonFailure(live, st, sp.Dir(), now); f != nil {
		return f
	}
	return nil
}

// liveStarting is a daemon that holds the directory and has not written its first heartbeat yet: it makes the tree, recovers what the
// last one left, and waits for the children of one that was killed.
const liveStarting queue.Liveness = "starting"

// daemonStatus is the last heartbeat and whether its daemon lives. Before a daemon's first heartbeat there is none, or that of the
// one before, which ended.
func daemonStatus(src interface {
	Status() (queue.Status, queue.Liveness, error)
}) (queue.Status, queue.Liveness, error) {
	st, live, err := src.Status()
	held := live == queue.LiveRunning || live == queue.LiveHung
	if err == nil && held && (st.At.IsZero() || !st.StoppedAt.IsZero()) {
		return queue.Status{}, liveStarting, nil
	}
	return st, live, err
}

// startLine says how to start the daemon; output is where the last one put its results, or "".
func startLine(dir, output string) string {
	s := "sudo systemctl start hyper2kvm-workflow, or hyper2kvmd --workflow-dir " + quoteArg(dir)
	if output != "" {
		s += " --output-dir " + quoteArg(output)
	}
	return s
}

// daemonFailure is the error for a daemon that is not there; nil when it runs.
func daemonFailure(live queue.Liveness, st queue.Status, dir string, now time.Time) *failure {
	f := &failure{exit: exitDaemon, try: startLine(dir, st.OutputDir)}
	switch live {
	case queue.LiveRunning:
		return nil
	case liveStarting:
		f.what, f.why, f.try = "the daemon is starting", "it holds "+dir+" and has not said anything yet", "hyperctl workflow status, in a moment"
	case queue.LiveHung:
		f.what = "the daemon hangs"
		f.why = fmt.Sprintf("process %d holds the workflow directory, but its last heartbeat is %s old", st.PID, spanText(now.Sub(st.At)))
		f.try = "journalctl -u hyper2kvm-workflow -n 50, then sudo systemctl restart hyper2kvm-workflow"
	case queue.LiveNeverStarted:
		f.what = "the daemon never ran on " + dir
		f.why = "there is no heartbeat in it: what is dropped there waits for the daemon's first start"
	default:
		f.what = "the daemon does not run"
		f.why = "nobody holds the workflow directory"
		if !st.StoppedAt.IsZero() {
			f.why = "it was stopped " + spanText(now.Sub(st.StoppedAt)) + " ago"
		} else if !st.At.IsZero() {
			f.why = "it ended without saying so; its last heartbeat is " + spanText(now.Sub(st.At)) + " old"
		}
	}
	return f
}

var liveLooks = map[queue.Liveness]struct{ utf8, ascii, color, word string }{
	queue.LiveRunning:      {"●", "*", green, "running"},
	liveStarting:           {"◐", "~", yellow, "starting"},
	queue.LiveHung:         {"●", "!", red, "hangs"},
	queue.LiveNotRunning:   {"○", "o", yellow, "not running"},
	queue.LiveNeverStarted: {"○", "o", yellow, "never started"},
}

func writeStatus(w io.Writer, s style, d statusDoc, now time.Time) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-11s %s\n", name, cleanLine(fmt.Sprintf(format, args...)))
	}
	l := liveLooks[d.Liveness]
	head := s.paint(l.color, s.icon(l.utf8, l.ascii)+" "+l.word)
	if d.Running {
		head += " for " + spanText(now.Sub(d.StartedAt)) + clean(fmt.Sprintf(", version %s, process %d, mode %s", d.Version, d.PID, d.Mode))
	}
	fmt.Fprintf(w, "%-11s %s\n", "Daemon", head)
	row("Directory", "%s", d.WorkflowDir)
	c := d.Counts
	row("Jobs", "%d queued, %d waiting, %d running; today %d done, %d failed", c.Queued, c.Waiting, c.Running, c.DoneToday, c.FailedToday)
	if c.Ignored > 0 {
		row("Ignored", "%s", count(c.Ignored, "entry of the drop zone is no job", "entries of the drop zone are no jobs"))
	}
	if d.Running {
		row("State", "%s", stateText(d.Status))
		row("Workers", "%d of %d busy", d.Busy, d.Workers)
		row("Intake", "%s", intakeText(d.Status))
		if d.OutputDir != "" {
			row("Output", "%s", d.OutputDir)
		}
		for _, sp := range d.Space {
			text := fmt.Sprintf("%s: %s free of %s", sp.Dir, bytesText(sp.Free), bytesText(sp.Total))
			if sp.Reserved > 0 {
				text += fmt.Sprintf(", %s reserved by running jobs", bytesText(sp.Reserved))
			}
			row("Space", "%s", text)
		}
	}
	for i, l := range d.Left {
		if i == maxReasonsShown {
			row("", "%s more", count(len(d.Left)-i, "request", "requests"))
			break
		}
		row("At start", "%s", l)
	}
	for i, h := range d.HeldBy {
		if i == maxReasonsShown {
			row("", "%s more: hyperctl workflow queue", count(len(d.HeldBy)-i, "reason", "reasons"))
			break
		}
		text := fmt.Sprintf("%s: %s", h.Example, h.Reason)
		if h.Count > 1 {
			text = fmt.Sprintf("%d entries (%s ...): %s", h.Count, h.Example, h.Reason)
		}
		row(strings.ToUpper(string(h.State[:1]))+string(h.State[1:]), "%s", text)
	}
}

// maxReasonsShown keeps the status on one screen.
const maxReasonsShown = 8

func stateText(st queue.Status) string {
	if len(st.Reasons) == 0 {
		return st.State
	}
	return st.State + ": " + strings.Join(st.Reasons, "; ")
}

// intakeText says how the daemon learns that a file is complete, and how it learns of new ones.
func intakeText(st queue.Status) string {
	readiness, watching := st.Readiness, st.Watching
	switch readiness {
	case "lease":
		readiness = "a file is taken as soon as nobody writes it"
	case "timed":
		quiet := "a while"
		if st.TimedSettleSeconds > 0 {
			quiet = tookText(time.Duration(st.TimedSettleSeconds * float64(time.Second)))
		}
		readiness = "a file is taken when it did not change for " + quiet + " (this file system cannot tell who writes)"
	}
	switch watching {
	case "inotify":
		watching = "new files are seen at once"
	case "polling":
		watching = "new files are looked for from time to time"
	}
	return strings.Trim(readiness+"; "+watching, "; ")
}

// heldReasons sums up why entries do not run.
func heldReasons(held []queue.Held) []heldReason {
	type key struct {
		state  queue.State
		reason string
	}
	at := map[key]int{}
	var out []heldReason
	for _, h := range held {
		if h.State == "" {
			h.State = queue.Waiting
		}
		k := key{h.State, h.Reason}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, heldReason{State: h.State, Reason: h.Reason, Example: h.Name})
		}
		out[i].Count++
	}
	slices.SortStableFunc(out, func(a, b heldReason) int {
		return cmp.Or(cmp.Compare(b.State, a.State), cmp.Compare(b.Count, a.Count)) // waiting before ignored
	})
	return out
}

// quoteArg writes s as one word for the shell.
func quoteArg(s string) string {
	plain := s != ""
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,@+%~", r) {
			plain = false
		}
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
