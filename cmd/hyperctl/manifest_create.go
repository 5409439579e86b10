package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard"
	"hyper2kvm/tui/wizard/answers"
)

// createOptions are what the command line says of a new manifest.
type createOptions struct {
	said    recorder
	from    string
	vmFrom  string
	save    string
	replace bool
	submit  bool
	print   bool
	copy    bool
	resume  bool
	noTUI   bool
	theme   string
	sending submitOptions
}

func newManifestCreate(con *console) *cobra.Command {
	o := createOptions{said: recorder{vms: []answers.VM{{}}}}
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a manifest step by step: full screen on a terminal, else by questions or flags",
		Long: `Make a manifest step by step: Source, Stages, Output, Review. On a terminal this is a full-screen form with a list of files that
shows what each is; ? shows all keys. Elsewhere (a pipe, TERM=dumb, CI or ACCESSIBLE is set, or --no-tui) it asks one question a
line on standard error and reads the answers from standard input.

Every answer is also a flag. When the flags name a source for each VM and say what to do (--save, --submit or --print), --no-tui
asks nothing. --next begins another VM: the flags behind it are the next one's.

What is wrong is said as manifest validate says it. What is not answered is not written: the daemon's defaults hold. A plain
file name stays as it is and means the file beside the manifest; every other path is written as an absolute one.

Submitting hands in the manifest as manifest submit does, and with it the files that it names by a plain name. The daemon reads
others where they are, which it does for root, for its own user, and for everybody below its import_roots; --copy hands them in
too. Answers that did not get to a manifest are kept in a draft ($XDG_STATE_HOME/hyperctl/draft.yaml), offered the next time.`,
		Example: `  hyperctl manifest create
  hyperctl manifest create --from web01.yaml
  hyperctl manifest create --no-tui --input web01.vmdk --output-format raw --save web01.yaml
  hyperctl manifest create --no-tui --input /exports/a.ova --next --input /exports/b.ova --submit --wait`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runCreate(cmd.Context(), con, &o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.from, "from", "", "begin with the answers of a manifest: a `file` of any dialect")
	f.BoolVar(&o.resume, "resume", false, "begin with the draft that an earlier run left behind")
	f.StringVar(&o.vmFrom, "vm-from", "", "take name, CPUs, memory and network cards of the first VM from an OVA, OVF or VMX `file`")
	f.StringVar(&o.save, "save", "", "save the manifest as this `file`; JSON when it ends in .json")
	f.BoolVar(&o.replace, "replace", false, "replace the file of --save when it is there")
	f.BoolVar(&o.submit, "submit", false, "submit it")
	f.BoolVar(&o.print, "print", false, "print it; as JSON with -o json")
	f.BoolVar(&o.copy, "copy", false, "submit: hand in the files too, whatever their path")
	f.BoolVar(&o.sending.wait, "wait", false, "submit: wait until the jobs have ended")
	timeoutFlag(f, &o.sending.timeout, "submit: wait for this `time` at most; implies --wait")
	f.BoolVar(&o.noTUI, "no-tui", false, "ask in lines, on a terminal too")
	f.StringVar(&o.theme, "theme", "", "full screen: `theme`, one of "+strings.Join(look.Themes, ", ")+" (default auto, or HYPERCTL_THEME)")
	f.Var(nextVM{&o.said}, "next", "the flags from here on are of another VM")
	f.Lookup("next").NoOptDefVal = "true"
	for _, field := range answers.Fields() {
		usage := strings.ReplaceAll(field.Does, "`", "'")
		if field.Default != "" {
			usage = strings.TrimSuffix(usage, ".") + "; else " + field.Default
		}
		f.Var(answerFlag{&o.said, field}, field.Flag(), usage)
		if field.Kind == answers.Switch {
			f.Lookup(field.Flag()).NoOptDefVal = "true"
		}
		if field.Kind == answers.Word {
			complete(cmd, field.Flag(), field.Values)
		}
	}
	complete(cmd, "theme", look.Themes)
	return cmd
}

// recorder takes the answers of the command line in its order.
type recorder struct{ vms []answers.VM }

// answerFlag is the flag of a field. Every value is taken: what is wrong with one is said by the check of the manifest.
type answerFlag struct {
	said  *recorder
	field answers.Field
}

// String is the value of a flag that was not given.
func (answerFlag) String() string { return "" }

// Set takes an answer for the VM that the command line is at.
func (a answerFlag) Set(s string) error {
	vm := a.said.vms[len(a.said.vms)-1]
	if strings.ContainsAny(s, "\n\r") {
		return errors.New("an answer is one line")
	}
	if slices.Contains(besideFields, a.field.Path) {
		s = sourcePath(s)
	}
	if a.field.Path == "output_dir" && s != "" {
		if abs, err := filepath.Abs(s); err == nil {
			s = abs
		}
	}
	if old := vm[a.field.Path]; a.field.Kind == answers.Lines && old != "" {
		s = old + "\n" + s
	}
	vm.Set(a.field.Path, s)
	return nil
}

// Type is what help shows for the value.
func (a answerFlag) Type() string {
	switch a.field.Kind {
	case answers.Switch:
		return "true|false"
	case answers.Word:
		return strings.Join(a.field.Values, "|")
	case answers.Number:
		return "number"
	case answers.Lines:
		return "file"
	case answers.Labels:
		return "key=value,..."
	case answers.Structure:
		return "yaml"
	}
	return "text"
}

// nextVM is the flag --next.
type nextVM struct{ said *recorder }

// String is the value of a flag that was not given.
func (nextVM) String() string { return "" }

// Set begins another VM.
func (n nextVM) Set(string) error {
	n.said.vms = append(n.said.vms, answers.VM{})
	return nil
}

// Type is what help shows for the value: none.
func (nextVM) Type() string { return "" }

// besideFields are those that name files, by a plain name beside the manifest or an absolute path.
var besideFields = []string{"input", "key_file"}

// sourcePath is a source as a manifest names it: a plain name, or an absolute path.
func sourcePath(s string) string {
	if s == "" || filepath.Base(s) == s || strings.Contains(s, ":") && !filepath.IsAbs(s) {
		return s
	}
	abs, err := filepath.Abs(s)
	if err != nil {
		return s
	}
	return abs
}

func runCreate(ctx context.Context, con *console, o *createOptions) error {
	if o.sending.timeout > 0 {
		o.sending.wait = true
	}
	form, lost, err := o.begin(ctx, con)
	if err != nil {
		return err
	}
	if con.fullScreen(watchOptions{screen: screenOptions{noTUI: o.noTUI}}) {
		r, err := createScreen(ctx, con, o, form, lost)
		if err != nil {
			return err
		}
		return con.finishCreate(ctx, o, r, ending{asked: true, saved: true, draft: true})
	}
	if len(lost) > 0 {
		con.note("%s: a job config has no key for %s", o.from, strings.Join(lost, ", "))
	}
	r := wizard.Result{Form: form, Copy: o.copy, JSON: con.opts.output == outJSON || con.opts.output == outJSONL}
	r.Action, r.File = o.action(), o.save
	how, err := con.askRest(ctx, o, &r)
	if err != nil {
		return err
	}
	return con.finishCreate(ctx, o, r, how)
}

// action is what the flags say that is to be done with the manifest; wizard.Left when they don't.
func (o *createOptions) action() wizard.Action {
	switch {
	case o.save != "" && o.submit:
		return wizard.SaveAndSubmit
	case o.save != "":
		return wizard.Save
	case o.submit:
		return wizard.Submit
	case o.print:
		return wizard.Print
	}
	return wizard.Left
}

// begin is the form to begin with: of --from or of the draft, with the flags' answers over it. lost is what --from says and a job
// config cannot.
func (o *createOptions) begin(ctx context.Context, con *console) (form answers.Form, lost []string, err error) {
	form = answers.New()
	switch {
	case o.from != "" && o.resume:
		return form, nil, usagef("give either --from or --resume")
	case o.from != "":
		d, err := con.readManifest(o.from)
		if err != nil {
			return form, nil, err
		}
		if f := invalid([]document{d}); f != nil {
			if err := d.problems.Write(con.err, d.content); err != nil {
				return form, nil, err
			}
			return form, nil, f
		}
		form, lost, _ = answers.Read(d.name, d.content)
	case o.resume:
		d, err := con.readDraft()
		if err != nil {
			return form, nil, err
		}
		if d == nil {
			return form, nil, &failure{exit: exitNotFound, what: "there is no draft", try: "hyperctl manifest create"}
		}
		form = d.Form
	}
	for i, vm := range o.said.vms {
		if i >= len(form.VMs) {
			form.VMs = append(form.VMs, answers.VM{})
		}
		maps.Copy(form.VMs[i], vm)
	}
	if len(form.VMs) > manifest.MaxVMs {
		return form, nil, usagef("%d VMs are given, a manifest has %d at most", len(form.VMs), manifest.MaxVMs)
	}
	if o.vmFrom != "" {
		facts, err := hostFiles{}.Probe(ctx, o.vmFrom)
		switch {
		case err != nil:
			return form, nil, imageFailure(o.vmFrom, err)
		case !facts.Described:
			return form, nil, &failure{exit: exitError, what: o.vmFrom + " describes no VM", why: "it is " + facts.Kind, try: "name an OVA, an OVF or a VMX"}
		}
		form.VMs[0].Describe(facts.Name, facts.Machine, false)
	}
	return form, lost, nil
}

// createScreen makes the manifest full screen. What was chosen at the end is still to be done.
func createScreen(ctx context.Context, con *console, o *createOptions, form answers.Form, lost []string) (wizard.Result, error) {
	theme := o.theme
	if theme == "" {
		theme = con.opts.theme
	}
	switch {
	case theme == "":
		theme = look.Themes[0]
	case !isTheme(theme):
		return wizard.Result{}, usagef("--theme %q: one of %s", theme, strings.Join(look.Themes, ", "))
	}
	dir, err := os.Getwd()
	if err != nil {
		return wizard.Result{}, err
	}
	ahead := con.newPreviewer(o.from)
	opt := wizard.Options{
		In: con.in, Out: con.out.(*os.File), Now: con.now, Theme: theme, NoColor: !con.style.color, UTF8: con.style.utf8,
		Form: form, Notes: lost, Dir: dir, File: o.save, Copy: o.copy, Files: hostFiles{}, Keep: con.keepDraft,
		Defaults: ahead.def.fields(), Preview: ahead.preview, Changes: ahead.changes,
		Save: func(path string, content []byte, replace bool) error {
			return saveManifest(path, content, replace || o.replace)
		},
	}
	if form.Empty() && o.from == "" {
		if opt.Draft, err = con.readDraft(); err != nil {
			con.note("the draft cannot be read: %v", err)
		}
	}
	return wizard.Run(ctx, opt)
}

// createFromWatch makes a manifest from the full-screen watch: anew, or from the manifest of an entry of the queue. It gives what came
// of it in one line, because what is printed then is gone with the next screen.
func createFromWatch(ctx context.Context, con *console, theme, entry string) (string, error) {
	o := createOptions{theme: theme, said: recorder{vms: []answers.VM{{}}}}
	if entry != "" {
		var err error
		if o.from, err = manifestOf(entry); err != nil {
			return "", err
		}
	}
	form, lost, err := o.begin(ctx, con)
	if err != nil {
		return "", err
	}
	r, err := createScreen(ctx, con, &o, form, lost)
	if err != nil {
		return "", err
	}
	if r.Action == wizard.Print {
		return "the manifest stands on the screen below this one", con.finishCreate(ctx, &o, r, ending{saved: true, draft: true})
	}
	var said bytes.Buffer
	quiet := *con
	quiet.out, quiet.err, quiet.outTTY, quiet.errTTY = &said, &said, false, false
	quiet.restyle()
	err = quiet.finishCreate(ctx, &o, r, ending{saved: true, draft: true})
	return strings.Join(strings.FieldsFunc(said.String(), func(r rune) bool { return r == '\n' }), "; "), err
}

// manifestOf finds the manifest of an entry of the queue: the entry itself, or the one file in its folder that is one.
func manifestOf(entry string) (string, error) {
	none := &failure{exit: exitNotFound, what: filepath.Base(entry) + " came without a manifest", try: "n begins a new one"}
	if !isDir(entry) {
		if !isManifest(entry) {
			return "", none
		}
		return entry, nil
	}
	found := ""
	files, err := os.ReadDir(entry)
	if err != nil {
		return "", readFailure(entry, err)
	}
	for _, f := range files {
		if !f.Type().IsRegular() || !isManifest(f.Name()) {
			continue
		}
		if found != "" {
			return "", &failure{exit: exitConflict, what: filepath.Base(entry) + " holds several manifests"}
		}
		found = filepath.Join(entry, f.Name())
	}
	if found == "" {
		return "", none
	}
	return found, nil
}

// stampName is a name for what has none.
func stampName(now time.Time) string { return "manifest-" + now.Format("20060102-150405") }
