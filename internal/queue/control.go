package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
)

// The verbs of a request.
const (
	VerbCancel  = "cancel"  // of a job: stop it and fail it
	VerbRetry   = "retry"   // of a failed job: put it back into the queue
	VerbRelease = "release" // of a held entry: let it run by itself
	VerbPause   = "pause"   // claim nothing until resume
	VerbResume  = "resume"
	VerbDrain   = "drain" // claim nothing more and end when nothing runs

	VerbPriority = "priority" // of an entry that is queued or waits: let it start sooner or later
)

var verbs = []string{VerbCancel, VerbRetry, VerbRelease, VerbPause, VerbResume, VerbDrain, VerbPriority}

// Limits of control/, to which a whole group may write.
const (
	maxRequest  = 4 << 10 // bytes of one request
	maxRequests = 1000    // that are looked at; there are never two of a person at a time
)

// replyWait is how long a client waits for the daemon's answer.
const (
	replyWait = 10 * time.Second
	replyPoll = 50 * time.Millisecond
)

// Control is a request of a client to the daemon: a file in .hyper2kvm/control/, whose owner is who asks.
type Control struct {
	Schema int    `json:"schema"`
	Verb   string `json:"verb"`
	Job    string `json:"job,omitempty"` // id, entry name or job_id
	By     string `json:"by,omitempty"`  // for the log; the owner of the file is what counts
	Reason string `json:"reason,omitempty"`

	Priority int    `json:"priority,omitempty"` // of VerbPriority
	Ino      uint64 `json:"ino,omitempty"`      // of VerbPriority: the entry has this inode, whatever its name is by now
}

// Reply is the daemon's answer.
type Reply struct {
	Schema  int    `json:"schema"`
	OK      bool   `json:"ok"`
	Kind    string `json:"kind,omitempty"` // of a refusal: one of refusals
	Message string `json:"message"`        // what was done, or why not
}

// refusals are the kinds of errors that a Reply carries, by the words it uses. Any other refusal is an ErrState.
var refusals = map[string]error{"denied": ErrDenied, "not-found": ErrNotFound, "exists": ErrExists, "state": ErrState}

// Refused is the reply to a request that was not done.
func Refused(err error) Reply {
	r := Reply{Kind: "state", Message: err.Error()}
	for word, kind := range refusals {
		if errors.Is(err, kind) {
			r.Kind = word
		}
	}
	return r
}

// refusedError is a refusal as the client sees it: the daemon's words, and the kind that they stand for.
type refusedError struct {
	kind    error
	message string
}

func (e *refusedError) Error() string { return e.message }

func (e *refusedError) Unwrap() error {
	if e.kind == nil {
		return ErrState
	}
	return e.kind
}

// Request asks the daemon for something and waits some seconds for its answer. ErrState: no daemon runs, or it refused;
// ErrDenied: this user may not write requests, or not ask for this; ErrNotFound: there is no such job.
func (s *Spool) Request(ctx context.Context, c Control) (Reply, error) {
	if !slices.Contains(verbs, c.Verb) {
		return Reply{}, fmt.Errorf("%w: %q is not one of %s", ErrState, c.Verb, strings.Join(verbs, ", "))
	}
	if held, err := s.locked(); err == nil && !held {
		return Reply{}, fmt.Errorf("%w: no daemon runs on %s", ErrState, s.dir)
	}
	name, err := s.putRequest(c)
	if err != nil {
		return Reply{}, err
	}
	return s.awaitReply(ctx, name)
}

// Leave puts a request where a daemon finds it when it starts, and waits for no answer: it answers those about priorities and pauses
// before it claims anything, the others soon after. A priority is that of the entry which has the name now, whatever becomes of the
// name. ErrNotFound: there is no such entry; ErrDenied: this user may not write requests; fs.ErrNotExist: no daemon ever ran there.
func (s *Spool) Leave(c Control) error {
	if !slices.Contains(verbs, c.Verb) {
		return fmt.Errorf("%w: %q is not one of %s", ErrState, c.Verb, strings.Join(verbs, ", "))
	}
	if c.Verb == VerbPriority && c.Ino == 0 {
		if err := checkOwnName(c.Job); err != nil {
			return err
		}
		st, err := lstat(s.path(DirQueued, c.Job))
		if err != nil {
			return fmt.Errorf("%w: %q is not in %s", ErrNotFound, c.Job, DirQueued)
		}
		c.Ino = st.Ino
	}
	_, err := s.putRequest(c)
	return err
}

// Left are the requests that wait for a daemon, in the order in which it will answer them, as far as this user may read them.
func (s *Spool) Left() ([]Control, error) {
	names, err := dirNames(s.own("control"), maxRequests)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []Control
	for _, name := range names {
		if r, err := s.readRequest(name); err == nil {
			all = append(all, r.Control)
		}
	}
	return all, nil
}

// putRequest writes a request and says under which name.
func (s *Spool) putRequest(c Control) (name string, err error) {
	c.Schema = RecordSchema
	b, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	if len(b) > maxRequest {
		return "", fmt.Errorf("%w: a request of %d bytes, at most %d", ErrName, len(b), maxRequest)
	}
	name = newID(s.clock()) + ".json"
	err = atomicfile.WriteFast(s.own("control", name), b, modeFile)
	if errors.Is(err, fs.ErrPermission) {
		err = fmt.Errorf("%w: %w; be of the group of %s", ErrDenied, err, s.own("control"))
	}
	return name, err
}

// takeBack removes a request, unless the daemon has it already.
func (s *Spool) takeBack(name string) { _ = os.Remove(s.own("control", name)) }

// awaitReply waits for the answer to a request, and takes it back when there is none in time.
func (s *Spool) awaitReply(ctx context.Context, name string) (Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, replyWait)
	defer cancel()
	for {
		var r Reply
		err := readJSON(s.own("replies", name), &r)
		switch {
		case err == nil && !r.OK:
			return r, &refusedError{kind: refusals[r.Kind], message: r.Message}
		case err == nil:
			return r, nil
		case !errors.Is(err, fs.ErrNotExist):
			return Reply{}, err
		}
		if err := sleep(ctx, replyPoll); err != nil {
			s.takeBack(name)
			return Reply{}, fmt.Errorf("no answer from the daemon: %w", err)
		}
	}
}

// Request is what a client asks for, as the daemon found it.
type Request struct {
	Control
	UID  uint32 // the owner of the file
	Time time.Time

	s    *Spool
	name string
}

// Requests are the requests that are there now, oldest first. What is not one (a link, a pipe, a directory, too large, not
// understood) is removed and logged, what was answered is removed. Each must be answered.
func (s *Spool) Requests(ctx context.Context) ([]Request, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var names []string
	err := eachName(s.own("control"), func(name string, _ byte) bool {
		if !hidden(name) {
			names = append(names, name)
		}
		return len(names) < maxRequests
	})
	if err != nil {
		return nil, layoutError(err)
	}
	slices.Sort(names)
	var all []Request
	for _, name := range names {
		r, err := s.readRequest(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && exists(s.own("replies", name)) { // a daemon died between its answer and the end of the request
			if err := s.fs.Remove(s.own("control", name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return all, s.disk(err)
			}
			continue
		}
		if err != nil {
			s.log.Warn("a request was refused", "name", name, "error", err)
			if r.name != "" {
				err = r.Answer(Refused(err))
			} else {
				err = s.fs.RemoveAll(s.own("control", name))
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return all, s.disk(err)
			}
			continue
		}
		all = append(all, r)
	}
	return all, nil
}

func (s *Spool) readRequest(name string) (Request, error) {
	path := s.own("control", name)
	if stem, ok := strings.CutSuffix(name, ".json"); !ok || !isID(stem) {
		return Request{}, fmt.Errorf("%w: %q is not the name of a request", ErrName, name)
	}
	f, err := openPlain(path)
	if err != nil {
		return Request{}, err
	}
	defer f.Close()
	var st unix.Stat_t // of what is read, whatever the name leads to by now
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Request{}, err
	}
	if st.Nlink != 1 {
		return Request{}, fmt.Errorf("%w: it has %d hard links, so that its owner says nothing", ErrDenied, st.Nlink)
	}
	r := Request{s: s, name: name, UID: st.Uid, Time: time.Unix(0, st.Mtim.Nano())}
	b, err := io.ReadAll(io.LimitReader(f, maxRequest+1))
	if err != nil {
		return r, err
	}
	if len(b) > maxRequest {
		return r, fmt.Errorf("%w: a request of more than %d bytes", ErrName, maxRequest)
	}
	if err := json.Unmarshal(b, &r.Control); err != nil {
		return r, err
	}
	if !slices.Contains(verbs, r.Verb) {
		return r, fmt.Errorf("%w: %q is not one of %s", ErrState, r.Verb, strings.Join(verbs, ", "))
	}
	return r, nil
}

// Answer writes the reply and removes the request.
func (r Request) Answer(reply Reply) error {
	reply.Schema = RecordSchema
	b, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	err = r.s.fs.WriteFast(r.s.own("replies", filepath.Base(r.name)), b, modeFile)
	if rm := r.s.fs.Remove(r.s.own("control", r.name)); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
		err = errors.Join(err, rm)
	}
	return r.s.disk(err)
}
