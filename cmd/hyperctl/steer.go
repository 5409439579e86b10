package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"hyper2kvm/internal/queue"
)

// answerDoc is one answered request in JSON and YAML.
type answerDoc struct {
	Verb   string `json:"verb"`
	Job    string `json:"job,omitempty"` // id, or the name of an entry that has none yet
	Name   string `json:"name,omitempty"`
	Answer string `json:"answer,omitempty"`
	Error  string `json:"error,omitempty"`
	Code   int    `json:"exit"`
	Left   bool   `json:"left,omitempty"` // no daemon runs: it does it when it starts
}

// steering gathers the answers to the requests of one command.
type steering struct {
	con     *console
	sp      *queue.Spool
	live    queue.Liveness
	status  queue.Status
	left    bool // the last request waits for the daemon's start
	answers []answerDoc
	first   error // of the requests that were refused
}

// steer opens the workflow directory for requests.
func (c *console) steer() (*steering, error) {
	sp, err := c.openSpool()
	if err != nil {
		return nil, err
	}
	st, live, err := daemonStatus(sp)
	if err != nil {
		return nil, err
	}
	return &steering{con: c, sp: sp, live: live, status: st}, nil
}

// needDaemon is the error where only a running daemon can do what is asked; nil when it runs.
func (s *steering) needDaemon() error {
	if f := daemonFailure(s.live, s.status, s.sp.Dir(), s.con.now()); f != nil && s.live != liveStarting {
		return f
	}
	return nil
}

// away tells whether there is no daemon, rather than one that hangs or is just starting.
func (s *steering) away() bool {
	return s.live == queue.LiveNotRunning || s.live == queue.LiveNeverStarted
}

// ask sends one request to the daemon and waits for the answer. Without a daemon a request that can wait is left for its next start; one
// that cannot is refused.
func (s *steering) ask(ctx context.Context, c queue.Control) (string, error) {
	c.By = s.con.getenv("USER")
	if then, ok := whenItStarts[c.Verb]; ok && s.away() {
		return s.leave(c, then)
	}
	if err := s.needDaemon(); err != nil {
		return "", err
	}
	reply, err := s.sp.Request(ctx, c)
	switch {
	case err == nil:
		return reply.Message, nil
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return "", &failure{exit: exitDaemon, what: "the daemon does not answer", why: err.Error(), try: "hyperctl workflow status", err: err}
	case reply.Message != "":
		return "", refusal(reply.Message, err)
	}
	return "", err
}

// whenItStarts says of the requests that wait for a daemon what it does with them at its next start.
var whenItStarts = map[string]string{
	queue.VerbPause:    "the daemon does not run; when it starts it is paused, and starts no jobs until resume",
	queue.VerbResume:   "the daemon does not run; when it starts it is not paused",
	queue.VerbPriority: "the daemon does not run; when it starts, before it starts any job, the priority becomes ",
	queue.VerbRetry:    "the daemon does not run; when it starts, the job is queued again",
}

// about sends one request about a job.
func (s *steering) about(ctx context.Context, c queue.Control, j queue.Job) (string, error) {
	if c.Verb == queue.VerbRelease && j.State != queue.Queued && j.State != queue.Waiting { // the daemon looks in the drop zone only
		return "", fmt.Errorf("%w: %s is %s", queue.ErrState, j.Name, j.State)
	}
	if c.Verb == queue.VerbPriority && s.away() {
		if j.State != queue.Queued && j.State != queue.Waiting {
			return "", fmt.Errorf("%w: %s is %s; only what is in the queue has an order", queue.ErrState, j.Name, j.State)
		}
		c.Job = j.Name
	}
	return s.ask(ctx, c)
}

// notNow is the error for a request that only a running daemon can do, with what can be done instead.
func (s *steering) notNow(verb string, j queue.Job) error {
	f := daemonFailure(s.live, s.status, s.sp.Dir(), s.con.now())
	again := "hyperctl workflow " + verb + " " + quoteArg(j.Name)
	switch {
	case verb == queue.VerbRelease:
		f.why += "; what is held is found out anew at each start"
	case j.State == queue.Running:
		f.why += "; the job does not run either, and goes back into the queue when it starts"
	case j.State == queue.Queued || j.State == queue.Waiting:
		f.try = "mv " + quoteArg(j.Path) + " ELSEWHERE, which takes it out of the queue"
		return f
	default:
		return fmt.Errorf("%w: %s is %s", queue.ErrState, j.Name, j.State)
	}
	f.try += "; then: " + again
	return f
}

// leave puts a request where the daemon finds it when it starts.
func (s *steering) leave(c queue.Control, then string) (string, error) {
	if c.Verb == queue.VerbPriority {
		then += queue.PriorityText(c.Priority)
	}
	err := s.sp.Leave(c)
	if errors.Is(err, fs.ErrNotExist) { // a directory on which no daemon ever ran has no place for requests
		return "", s.needDaemon()
	}
	s.left = err == nil
	return then, err
}

// refusal is what the daemon answered to a request that it did not do.
func refusal(message string, err error) error {
	f := &failure{exit: exitConflict, what: message, try: "hyperctl workflow list --all", err: err}
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			f.exit, f.try = k.exit, k.try
			f.what, f.why = k.kind.Error(), strings.TrimPrefix(strings.TrimPrefix(message, k.kind.Error()), ": ")
			break
		}
	}
	return f
}

// keep remembers what came of a request about a job.
func (s *steering) keep(verb, key, name, answer string, err error) {
	d := answerDoc{Verb: verb, Job: key, Name: name, Answer: answer, Left: s.left}
	s.left = false
	if err != nil {
		err = jobFailure(key, err)
		f := explainError(err)
		d.Error, d.Code = cleanLine(f.Error()), f.exit
		if s.first == nil {
			s.first = err
		}
	}
	s.answers = append(s.answers, d)
}

// finish prints the answers. One refused request is the command's error; of several, each is said and the first decides.
func (s *steering) finish() error {
	if len(s.answers) == 1 && s.first != nil {
		return s.first
	}
	v := view[answerDoc]{name: func(a answerDoc) string { return a.Name }, doc: func(a answerDoc) any { return a }}
	if s.con.opts.output.people() {
		for _, a := range s.answers {
			s.con.say(a)
		}
	} else if err := printAll(s.con, v, all(s.answers)); err != nil {
		return err
	}
	if s.first == nil {
		return nil
	}
	f := *explainError(s.first)
	refused := 0
	for _, a := range s.answers {
		if a.Error != "" {
			refused++
		}
	}
	f.what, f.why = fmt.Sprintf("%d of %s refused", refused, count(len(s.answers), "request was", "requests were")), "the first: "+f.Error()
	return &f
}

// say prints one answer for people.
func (c *console) say(a answerDoc) {
	name := a.Name
	if name == "" {
		name = a.Job
	}
	if name != "" {
		name = clean(name) + ": "
	}
	if a.Error != "" {
		fmt.Fprintf(c.err, "%s %s%s\n", c.errStyle.paint(red, c.errStyle.icon("✖", "x")), name, a.Error)
		return
	}
	if !c.opts.quiet {
		fmt.Fprintf(c.out, "%s%s\n", name, cleanLine(a.Answer))
	}
}
