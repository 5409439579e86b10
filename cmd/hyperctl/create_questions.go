package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard"
	"hyper2kvm/tui/wizard/answers"
)

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
	if err := p.foresee(); err != nil {
		return err
	}
	return p.askEnd()
}

// foresee says what would become of the answers: the plan of each job, how long it takes, what space it needs.
func (p *prompter) foresee() error {
	ahead, err := p.ahead.preview(p.ctx, p.r.Form, p.r.Copy)
	if cerr := p.ctx.Err(); cerr != nil {
		return cerr
	}
	if err != nil {
		p.tell("note: %v", err)
		return nil
	}
	for _, vm := range ahead.VMs {
		for _, l := range vm.Plan {
			p.tell("%s", l)
		}
		if vm.Fails != "" {
			p.tell("the job for %s would fail: %s", vm.Name, strings.TrimSpace(vm.Code+" "+vm.Fails))
			if vm.Hint != "" {
				p.tell("try: %s", vm.Hint)
			}
		}
	}
	for _, s := range []string{ahead.Time(), ahead.Turn()} {
		if s != "" {
			p.tell("%s", s)
		}
	}
	for _, place := range ahead.Places {
		short := ""
		if place.Short() {
			short = "note: the space runs short, so that the job waits: "
		}
		p.tell("%s%s", short, place.String())
	}
	return nil
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
	fields := answers.FieldsWith(p.ahead.def.fields())
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
	size := fmt.Sprintf(", %s virtual, %s to read", bytesText(facts.Virtual), bytesText(facts.Allocated))
	if facts.Virtual == 0 {
		size = "; what is in it is known when it is unpacked"
	}
	p.tell("%s%s", strings.TrimSpace(facts.Kind+" "+facts.Detail), size)
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
