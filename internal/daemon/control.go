package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hyper2kvm/internal/queue"
)

// requestPoll is how often control/ is looked at: it is nearly always empty, and a look costs microseconds.
const requestPoll = 100 * time.Millisecond

// serveRequests answers what clients put into control/ until ctx ends.
func (d *Daemon) serveRequests(ctx context.Context) {
	reading := repeated{log: d.log, clock: d.clock, what: "read the requests of clients"}
	for {
		requests, err := d.spool.Requests(ctx)
		if ctx.Err() == nil {
			reading.result(err)
		}
		for _, r := range requests {
			d.serveRequest(ctx, r, d.answer)
		}
		if !pause(ctx, requestPoll) {
			return
		}
	}
}

// serveRequest does what one request asks, and answers it.
func (d *Daemon) serveRequest(ctx context.Context, r queue.Request, do func(context.Context, queue.Request) (string, error)) {
	answer, err := do(ctx, r)
	d.log.Info("request", "verb", r.Verb, "job", r.Job, "by", userName(r.UID), "answer", answer, "error", err)
	reply := queue.Reply{OK: true, Message: answer}
	if err != nil {
		reply = queue.Refused(err)
	}
	if err := r.Answer(reply); err != nil {
		d.log.Error("answer a request", "verb", r.Verb, "error", err)
	}
}

// answer does what one request asks, if its owner may.
func (d *Daemon) answer(ctx context.Context, r queue.Request) (string, error) {
	s := d.Settings()
	switch r.Verb {
	case queue.VerbCancel:
		return d.cancel(ctx, s, r)
	case queue.VerbRetry:
		found, err := d.findEnded(ctx, r.Job)
		if err != nil {
			return "", err
		}
		if err := d.trust.operator(s, r.UID, submitterOf(found)); err != nil {
			return "", fmt.Errorf("%w: %w", queue.ErrDenied, err)
		}
		name, err := d.spool.Retry(ctx, found)
		if err != nil {
			return "", err
		}
		d.tallies.add(1, queue.TallyRetries, "request")
		return "queued again as " + name, nil
	case queue.VerbRelease:
		found, err := d.spool.Find(ctx, r.Job)
		if err != nil {
			return "", err
		}
		if err := d.trust.operator(s, r.UID, submitterOf(found)); err != nil {
			return "", fmt.Errorf("%w: %w", queue.ErrDenied, err)
		}
		return "released", d.inbox.Release(found.Name)
	case queue.VerbPriority:
		return d.setPriority(ctx, s, r)
	}
	// What concerns everybody's jobs is for root, the daemon's user and the operators.
	if err := d.trust.operator(s, r.UID, d.trust.self); err != nil {
		return "", fmt.Errorf("%w: %w", queue.ErrDenied, err)
	}
	switch r.Verb {
	case queue.VerbDrain:
		d.inbox.Drain()
		return "draining: running jobs finish, nothing more is claimed until resume or a restart", nil
	case queue.VerbPause:
		return "paused: running jobs go on, nothing more is claimed until resume", d.inbox.Pause(pauseReason(userName(r.UID), r.Reason))
	case queue.VerbResume:
		return "resumed", d.inbox.Resume()
	}
	return "", fmt.Errorf("%w: unknown verb %q", queue.ErrState, r.Verb)
}

// maxPauseReason bounds in bytes why somebody paused the queue: it stands on one line of every status.
const maxPauseReason = 200

// pauseReason is what the status says of a queue that somebody paused. why is theirs: what is no text is left out.
func pauseReason(user, why string) string {
	why = strings.Join(strings.FieldsFunc(why, func(r rune) bool { return r == utf8.RuneError || !unicode.IsGraphic(r) }), " ")
	for len(why) > maxPauseReason {
		_, size := utf8.DecodeLastRuneInString(why)
		why = why[:len(why)-size]
	}
	if why = strings.TrimSpace(why); why == "" {
		return "paused by " + user
	}
	return "paused by " + user + ": " + why
}

// endWait is how long a request waits for a job whose end is just being recorded, and endPoll how often it looks.
const (
	endWait = time.Second
	endPoll = 10 * time.Millisecond
)

// findEnded finds a job; one whose end is just being recorded, when it has ended: a client may have read its record already.
func (d *Daemon) findEnded(ctx context.Context, key string) (found queue.Job, err error) {
	ctx, cancel := context.WithTimeout(ctx, endWait)
	defer cancel()
	for {
		found, err = d.spool.Find(context.WithoutCancel(ctx), key)
		if err != nil || found.State != queue.Running || !d.isEnding(found.ID) || !pause(ctx, endPoll) {
			return found, err
		}
	}
}

// cancel ends a running job, or takes a waiting one out of the drop zone into failed/.
func (d *Daemon) cancel(ctx context.Context, s Settings, r queue.Request) (string, error) {
	found, err := d.spool.Find(ctx, r.Job)
	if err != nil {
		return "", err
	}
	if err := d.trust.operator(s, r.UID, submitterOf(found)); err != nil {
		return "", fmt.Errorf("%w: %w", queue.ErrDenied, err)
	}
	if found.State == queue.Running && d.endJob(found.ID, endCancel, "cancelled by "+userName(r.UID)) {
		return "cancelling", nil
	}
	switch found.State {
	case queue.Queued, queue.Waiting:
		if err := d.inbox.Withdraw(ctx, found.Name, cancelFields("cancelled by "+userName(r.UID), found.Name)); err != nil {
			return "", err
		}
		return "cancelled", nil
	}
	if found.State == queue.Running {
		return "", fmt.Errorf("%w: %s is being finished", queue.ErrState, found.Name)
	}
	return "", fmt.Errorf("%w: %s is %s", queue.ErrState, found.Name, found.State)
}

// setPriority changes when an entry that has not been claimed yet will be.
func (d *Daemon) setPriority(ctx context.Context, s Settings, r queue.Request) (string, error) {
	var name string
	var submitter uint32
	if r.Ino != 0 {
		var err error
		if name, submitter, err = d.spool.EntryOf(r.Control); err != nil {
			return "", err
		}
	} else {
		found, err := d.spool.Find(ctx, r.Job)
		if err != nil {
			return "", err
		}
		if found.State != queue.Queued && found.State != queue.Waiting {
			return "", fmt.Errorf("%w: %s is %s; only what is in the queue has an order", queue.ErrState, found.Name, found.State)
		}
		name, submitter = found.Name, submitterOf(found)
	}
	if err := d.trust.operator(s, r.UID, submitter); err != nil {
		return "", fmt.Errorf("%w: %w", queue.ErrDenied, err)
	}
	if err := d.spool.SetPriority(name, r.Priority); err != nil {
		return "", err
	}
	return "priority " + queue.PriorityText(r.Priority), nil
}

// earlyPriorities answers the requests for a priority that were made while no daemon ran, before anything is claimed.
func (d *Daemon) earlyPriorities(ctx context.Context) {
	d.serveEarly(ctx, d.answer, queue.VerbPriority)
}

// earlyPauses answers the requests to pause the queue, and to go on, that were made while no daemon ran, before there is an inbox that
// could hand anything out.
func (d *Daemon) earlyPauses(ctx context.Context) {
	d.serveEarly(ctx, func(_ context.Context, r queue.Request) (string, error) {
		if err := d.trust.operator(d.Settings(), r.UID, d.trust.self); err != nil {
			return "", fmt.Errorf("%w: %w", queue.ErrDenied, err)
		}
		if r.Verb == queue.VerbResume {
			return "resumed", d.spool.SetPaused("")
		}
		return "paused", d.spool.SetPaused(pauseReason(userName(r.UID), r.Reason))
	}, queue.VerbPause, queue.VerbResume)
}

// serveEarly answers the requests with these verbs, in the order in which they were made.
func (d *Daemon) serveEarly(ctx context.Context, do func(context.Context, queue.Request) (string, error), verbs ...string) {
	requests, err := d.spool.Requests(ctx)
	if err != nil {
		d.log.Error("requests of clients cannot be read", "error", err)
	}
	for _, r := range requests {
		if slices.Contains(verbs, r.Verb) {
			d.serveRequest(ctx, r, do)
		}
	}
}

// recall returns a running job to the queue: a config that arrived late names its file.
func (d *Daemon) recall(id string) {
	d.endJob(id, endRequeue, "a manifest that names it arrived")
}

func submitterOf(j queue.Job) uint32 {
	if j.Submitter == nil {
		return ^uint32(0) // nobody: only root, the daemon's user and operators may
	}
	return *j.Submitter
}
