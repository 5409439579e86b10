package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/sandbox"
)

// errAborted is the cause of a child's context when the daemon closed its stdin: the daemon is gone or wants no result.
var errAborted = errors.New("the daemon went away")

// ChildOptions is what tests do in the process of a job. The zero value does nothing.
type ChildOptions struct {
	OnStage func(stage string) // called before each stage: a job can be stopped there
	Write   []string           // directories that OnStage writes in
}

// ServeJob is the child's side: it reads the job from in, gives up what the job does not need, runs it and writes events and the result
// to out. The end of in aborts the job without a result, so that no child outlives its daemon. ctx is cancelled by a signal: then the
// result says that the job was cancelled.
func ServeJob(ctx context.Context, in io.Reader, out io.Writer, o ChildOptions) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	m, err := parseMessage(first)
	if err != nil { // a daemon of another version learns it from the version of the answer
		f := convert.Failure("", err)
		return errors.Join(err, (&sender{w: out}).send(message{Type: msgResult, Failure: &f}))
	}
	if m.Type != msgJob || m.Request == nil {
		return fmt.Errorf("first message is %q, want %q", m.Type, msgJob)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	side := &childSide{out: &sender{w: out}, answers: make(chan message, 1), onStage: o.OnStage}
	go side.listen(ctx, lines, cancel)
	if m.Sandbox { // before a byte of the source is read
		missing, err := sandbox.Enter(policy(*m.Request, o.Write))
		if err != nil {
			f := convert.Failure("", &convert.CodedError{
				Code: manifest.CodeJobInternal, Err: fmt.Errorf("confine the job: %w", err),
				Hint: "report it; with sandbox: false in the daemon's configuration jobs run unconfined",
			})
			return errors.Join(err, side.out.send(message{Type: msgResult, Failure: &f}))
		}
		for _, part := range missing {
			side.Log("", "sandbox: "+part)
		}
	}
	report, err := convert.Execute(ctx, *m.Request, side, side, convert.Options{Clock: time.Now})
	if errors.Is(context.Cause(ctx), errAborted) {
		return errAborted
	}
	result := message{Type: msgResult, Report: &report}
	if err != nil {
		result.Failure = report.Error
		if result.Failure == nil {
			f := convert.Failure("", err)
			result.Failure = &f
		}
	}
	return side.out.send(result)
}

// childSide is the Events and the Host of a run: it tells and asks the daemon.
type childSide struct {
	out     *sender
	answers chan message
	onStage func(stage string)
}

// listen hands the daemon's answers to whoever asked, and aborts when the daemon's end closes.
func (c *childSide) listen(ctx context.Context, lines *bufio.Reader, abort context.CancelCauseFunc) {
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			abort(errAborted)
			return
		}
		m, err := parseMessage(line)
		if err != nil {
			abort(err)
			return
		}
		select {
		case c.answers <- m:
		case <-ctx.Done():
			return
		}
	}
}

// ask sends a question and waits for its answer.
func (c *childSide) ask(ctx context.Context, m message) (message, error) {
	if err := c.out.send(m); err != nil {
		return message{}, fmt.Errorf("ask the daemon: %w", err)
	}
	select {
	case a := <-c.answers:
		if a.Type == msgDenied && a.Denied != nil {
			return message{}, &convert.CodedError{Code: a.Denied.Code, Hint: a.Denied.Hint, Err: errors.New(a.Denied.Message)}
		}
		return a, nil
	case <-ctx.Done():
		return message{}, context.Cause(ctx)
	}
}

// Reserve asks the daemon for space and waits for the answer.
func (c *childSide) Reserve(ctx context.Context, needs []convert.SpaceNeed) error {
	_, err := c.ask(ctx, message{Type: msgReserve, Needs: needs})
	return err
}

// Place asks the daemon where the result will stand.
func (c *childSide) Place(ctx context.Context, vmName string) (string, error) {
	a, err := c.ask(ctx, message{Type: msgPlace, Name: vmName})
	return a.Dir, err
}

// Admit asks the daemon for memory and waits until it is granted.
func (c *childSide) Admit(ctx context.Context, mib int) (convert.Admission, error) {
	a, err := c.ask(ctx, message{Type: msgAdmit, MiB: int64(mib)})
	release := func() { _ = c.out.send(message{Type: msgAdmit}) } // a daemon that is gone has nothing to keep account of
	return convert.Admission{KVM: a.KVM, Why: a.Text, Release: release}, err
}

// The events below have no one to report an error to: a daemon that does not listen any more has closed stdin too, which
// aborts the run.

// Stage tells that a stage began, ended or is left out.
func (c *childSide) Stage(name string, index, count int, status, reason string, took time.Duration) {
	_ = c.out.send(message{Type: msgStage, Stage: name, Index: index, Count: count, Status: status, Text: reason, Took: took})
	if c.onStage != nil && status == stageStart {
		c.onStage(name)
	}
}

// Progress tells bytes done of bytes to do.
func (c *childSide) Progress(stage string, done, total int64) {
	_ = c.out.send(message{Type: msgProgress, Stage: stage, Done: done, Total: total})
}

// Log adds a line to the job's log.
func (c *childSide) Log(stage, text string) {
	_ = c.out.send(message{Type: msgLog, Stage: stage, Text: text})
}

// Warning tells what a person should know.
func (c *childSide) Warning(w manifest.Warning) {
	_ = c.out.send(message{Type: msgWarning, Stage: w.Stage, Warning: &w})
}
