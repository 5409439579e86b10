package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/tui/wizard"
)

const (
	// maxWrong is how many answers to one question may be wrong: a pipe that never says anything useful comes to an end.
	maxWrong = 20
	// maxAnswer is how long an answer may be, in bytes.
	maxAnswer = 64 << 10
)

// prompter asks in lines: a question on standard error, an answer on standard input, nothing that moves.
type prompter struct {
	con    *console
	ctx    context.Context // a prompter lives as long as one command
	lines  <-chan string
	ended  error // why there are no more lines; to be read after lines is closed
	r      *wizard.Result
	person bool // somebody at a terminal answers
	wrongs int  // answers to the question for a source that were of no use
	ahead  *previewer
}

// askRest asks what the flags leave open.
func (c *console) askRest(ctx context.Context, o *createOptions, r *wizard.Result) (ending, error) {
	open := r.Action == wizard.Left
	for _, vm := range r.Form.VMs {
		open = open || len(vm.Inputs()) == 0
	}
	if !open {
		return ending{draft: o.resume}, nil
	}
	in, isFile := c.in.(*os.File)
	p := &prompter{con: c, ctx: ctx, r: r, person: isFile && isTTY(in), ahead: c.newPreviewer(o.from)}
	how := ending{asked: true, draft: o.resume || p.person}
	p.listen()
	if r.Form.Empty() && o.from == "" {
		if err := p.offerDraft(); err != nil {
			return how, err
		}
	}
	err := p.ask()
	if err != nil && !r.Form.Empty() {
		if kerr := c.keepDraft(r.Form); kerr == nil && c.draftFile() != "" {
			c.note("the answers are kept; go on with: hyperctl manifest create --resume")
		}
	}
	return how, err
}

// listen reads lines beside everything else, so that an interrupt does not wait for one.
func (p *prompter) listen() {
	lines := make(chan string)
	p.lines = lines
	go func() {
		defer close(lines)
		in := bufio.NewScanner(p.con.in)
		in.Buffer(nil, maxAnswer)
		for in.Scan() {
			select {
			case lines <- in.Text():
			case <-p.ctx.Done():
				return
			}
		}
		p.ended = in.Err()
	}()
}

// line asks one question and gives the answer; an empty one is the default.
func (p *prompter) line(question, otherwise, flag string) (string, error) {
	shown := question
	if otherwise != "" {
		shown += " [" + otherwise + "]"
	}
	fmt.Fprintf(p.con.err, "%s: ", cleanLine(shown))
	select {
	case s, ok := <-p.lines:
		if !ok {
			fmt.Fprintln(p.con.err)
			why := "the input ended"
			if p.ended != nil {
				why = p.ended.Error()
			}
			return "", &failure{exit: exitUsage, what: "there is no answer to the question: " + question, why: why,
				try: "answer it by a flag: " + flag, err: errors.Join(p.ended, io.ErrUnexpectedEOF)}
		}
		if s = strings.TrimSpace(s); s == "" {
			s = otherwise
		}
		return s, nil
	case <-p.ctx.Done():
		fmt.Fprintln(p.con.err)
		return "", p.ctx.Err()
	}
}

// yes asks a question that is answered by yes or no.
func (p *prompter) yes(question string, otherwise bool, flag string) (bool, error) {
	word := map[bool]string{true: "yes", false: "no"}[otherwise]
	for range maxWrong {
		s, err := p.line(question+" (yes or no)", word, flag)
		if err != nil {
			return false, err
		}
		switch strings.ToLower(s) {
		case "y", "yes", "true", "on":
			return true, nil
		case "n", "no", "false", "off":
			return false, nil
		}
		p.tell("answer yes or no, not %q", s)
	}
	return false, p.tooMany(question)
}

// pick asks for one of several words, by the word or its number.
func (p *prompter) pick(question string, words []string, otherwise, flag string) (string, error) {
	for i, w := range words {
		fmt.Fprintf(p.con.err, "  %d  %s\n", i+1, clean(w))
	}
	for range maxWrong {
		s, err := p.line(question+" (word or number)", otherwise, flag)
		if err != nil {
			return "", err
		}
		if n, err := strconv.Atoi(s); err == nil && n >= 1 && n <= len(words) {
			return words[n-1], nil
		}
		if slices.Contains(words, s) || s == "" {
			return s, nil
		}
		p.tell("answer one of %s, or its number, not %q", strings.Join(words, ", "), s)
	}
	return "", p.tooMany(question)
}

func (p *prompter) tell(format string, args ...any) {
	fmt.Fprintf(p.con.err, "  %s\n", cleanLine(fmt.Sprintf(format, args...)))
}

func (p *prompter) tooMany(question string) error {
	return &failure{exit: exitUsage, what: "no answer could be used: " + question, why: fmt.Sprintf("%d were tried", maxWrong), try: "hyperctl manifest create --help"}
}

// offerDraft offers what an earlier run left behind: to a person; who answers from a pipe says --resume.
func (p *prompter) offerDraft() error {
	d, err := p.con.readDraft()
	if err != nil || d == nil {
		return nil // a draft that cannot be read is not offered, and is no reason to ask nothing
	}
	at := d.At.Format("2006-01-02 15:04:05")
	if !p.person {
		p.con.note("there is a draft of %s; --resume takes it up", at)
		return nil
	}
	take, err := p.yes("There is a draft of "+at+". Take it up?", true, "--resume")
	if err == nil && take {
		p.r.Form = d.Form
	}
	return err
}
