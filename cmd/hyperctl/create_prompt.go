package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard"
	"hyper2kvm/tui/wizard/answers"
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
	p := &prompter{con: c, ctx: ctx, r: r, person: isFile && isTTY(in)}
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

// ask goes through everything that is open.
func (p *prompter) ask() error {
	for i := 0; i < len(p.r.Form.VMs); i++ {
		if err := p.askVM(i); err != nil {
			return err
		}
		if i == len(p.r.Form.VMs)-1 && len(p.r.Form.VMs) < manifest.MaxVMs && p.r.Action == wizard.Left {
			more, err := p.yes("Another VM in this manifest?", false, "--next")
			if err != nil {
				return err
			}
			if more {
				p.r.Form.VMs = append(p.r.Form.VMs, answers.VM{})
			}
		}
	}
	return p.askEnd()
}

// first are the fields that are asked in any case; the others on request.
var first = []string{"input", "name", "output_format", "output_dir"}

func (p *prompter) askVM(i int) error {
	vm := p.r.Form.VMs[i]
	if len(p.r.Form.VMs) > 1 {
		p.tell("VM %d", i+1)
	}
	if len(vm.Inputs()) == 0 {
		if err := p.askSource(i); err != nil {
			return err
		}
	}
	fields := answers.Fields()
	for _, path := range first[1:] {
		at := slices.IndexFunc(fields, func(f answers.Field) bool { return f.Path == path })
		if at < 0 {
			continue
		}
		if err := p.field(i, fields[at]); err != nil {
			return err
		}
	}
	all, err := p.yes("Go through all other settings?", false, "one for each setting, see --help")
	if err != nil || !all {
		return err
	}
	for _, f := range fields {
		if !slices.Contains(first, f.Path) {
			if err := p.field(i, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// askSource asks for the disks of a VM, says what they are, and offers what a description says.
func (p *prompter) askSource(i int) error {
	vm := p.r.Form.VMs[i]
	field, _ := answers.FieldOf("input")
	p.tell("%s", field.Does)
	for n := 0; n < manifest.MaxDisks; n++ {
		question := "Source"
		if n > 0 {
			question = "Another disk of this VM (empty: none)"
		}
		before := vm["input"]
		s, err := p.line(question, "", "--input FILE")
		if err != nil {
			return err
		}
		switch {
		case s == "" && n > 0:
			return nil
		case s == "":
			if n--; !p.again() {
				return p.tooMany(question)
			}
			continue
		}
		s = sourcePath(s)
		vm.Set("input", strings.TrimPrefix(before+"\n"+s, "\n"))
		if p.wrong(i, "input") {
			vm.Set("input", before)
			if n--; !p.again() {
				return p.tooMany(question)
			}
			continue
		}
		p.keep()
		described, err := p.look(i, s)
		if err != nil || described {
			return err
		}
	}
	return nil
}

// again counts an answer that is of no use, and tells whether there may be another.
func (p *prompter) again() bool {
	p.wrongs++
	return p.wrongs < maxWrong
}

// look says what a source is, and offers to take over what describes the VM. described tells that the source is a whole VM.
func (p *prompter) look(i int, source string) (described bool, err error) {
	facts, err := hostFiles{}.Probe(p.ctx, source)
	if err != nil {
		if cerr := p.ctx.Err(); cerr != nil {
			return false, cerr
		}
		p.tell("note: %s", explainError(err).Error())
		return false, nil
	}
	p.tell("%s, %s virtual, %s to read", strings.TrimSpace(facts.Kind+" "+facts.Detail), bytesText(facts.Virtual), bytesText(facts.Allocated))
	if len(facts.Chain) > 0 {
		p.tell("chain: %s", strings.Join(facts.Chain, ", on "))
	}
	from := source
	if described = facts.Described; !described {
		stem := strings.TrimSuffix(source, filepath.Ext(source))
		for _, ext := range []string{".vmx", ".ovf"} {
			if beside, err := (hostFiles{}).Probe(p.ctx, stem+ext); err == nil && beside.Described {
				facts, from = beside, stem+ext
				break
			}
		}
	}
	if !facts.Described {
		return described, nil
	}
	m := facts.Machine
	p.tell("%s describes the VM %s: %d CPUs, %s of memory, %s", from, facts.Name, m.CPUs, bytesText(m.MemoryMiB<<20), count(len(m.NICs), "network card", "network cards"))
	take, err := p.yes("Write name, CPUs, memory and network cards into the manifest?", !described, "--vm-from "+quoteArg(from))
	if err == nil && take {
		p.r.Form.VMs[i].Describe(facts.Name, m, false)
	}
	return described, err
}

// field asks for one answer, until it is right. What is answered already is not asked.
func (p *prompter) field(i int, f answers.Field) error {
	vm := p.r.Form.VMs[i]
	if _, said := vm[f.Path]; said {
		return nil
	}
	p.tell("%s: %s", f.Path, f.Does)
	if f.Needs != "" {
		p.tell("%s", f.Needs)
	}
	otherwise := f.Default
	if f.Path == "name" {
		otherwise = vm.Name()
	}
	for range maxWrong {
		var s string
		var err error
		switch f.Kind {
		case answers.Switch:
			var on bool
			on, err = p.yes(f.Path, f.Default == "true", "--"+f.Flag())
			if s = strconv.FormatBool(on); on == (f.Default == "true") {
				s = ""
			}
		case answers.Word:
			s, err = p.pick(f.Path, f.Values, otherwise, "--"+f.Flag())
		default:
			s, err = p.line(f.Path, otherwise, "--"+f.Flag())
		}
		if err != nil {
			return err
		}
		if s == otherwise || s == "" {
			return nil // what holds anyway is not written
		}
		if f.Path == "output_dir" {
			if abs, err := filepath.Abs(s); err == nil {
				s = abs
			}
		}
		if slices.Contains(besideFields, f.Path) {
			s = sourcePath(s)
		}
		vm.Set(f.Path, s)
		if !p.wrong(i, f.Path) {
			p.keep()
			return nil
		}
		vm.Set(f.Path, "")
	}
	return p.tooMany(f.Path)
}

// keep keeps a person's answers across a crash; who answers from a pipe has them.
func (p *prompter) keep() {
	if !p.person {
		return
	}
	if err := p.con.keepDraft(p.r.Form); err != nil {
		p.person = false // said once
		p.con.note("the draft cannot be kept: %v", err)
	}
}

// wrong says what is wrong with an answer, in the words of manifest validate.
func (p *prompter) wrong(i int, path string) bool {
	bad := false
	for _, problem := range p.r.Form.Check() {
		if problem.Field != path || problem.VM != i {
			continue
		}
		hint := ""
		if problem.Hint != "" {
			hint = " (" + problem.Hint + ")"
		}
		p.tell("%s %s: %s%s", problem.Severity, problem.Code, problem.Message, hint)
		bad = bad || problem.Severity == manifest.SeverityError
	}
	return bad
}

// askEnd asks what to do with the manifest.
func (p *prompter) askEnd() error {
	if p.r.Action == wizard.Left {
		words := []string{"save", "submit", "save and submit", "print", "leave"}
		s, err := p.pick("What now", words, "save", "--save FILE, --submit or --print")
		if err != nil {
			return err
		}
		p.r.Action = map[string]wizard.Action{"save": wizard.Save, "submit": wizard.Submit, "save and submit": wizard.SaveAndSubmit, "print": wizard.Print}[s]
		if s == "leave" {
			return p.con.keepDraft(p.r.Form)
		}
	}
	if p.r.File == "" && (p.r.Action == wizard.Save || p.r.Action == wizard.SaveAndSubmit) {
		name := "manifest"
		if n := p.r.Form.VMs[0].Name(); len(p.r.Form.VMs) == 1 && n != "" {
			name = n
		}
		s, err := p.line("Save as", name+".yaml", "--save FILE")
		if err != nil {
			return err
		}
		p.r.File = s
	}
	return nil
}
