package answers

import (
	"slices"
	"strings"
	"sync"

	"hyper2kvm/internal/manifest"
)

// Kind is how an answer is given.
type Kind int

// The kinds. Whatever is none of the others is a Structure.
const (
	Structure Kind = iota // a list or mapping, written as YAML on one line
	Line                  // text
	Lines                 // texts, one a line
	Switch                // true or false
	Word                  // one of Field.Values
	Number                // whole number
	Labels                // key=value, key=value
)

// kinds are the types of manifest.Field by the kind of their answers.
var kinds = map[string]Kind{
	"text": Line, "time": Line, "duration": Line, "text or list of texts": Lines, "list of texts": Lines, "true or false": Switch, "word": Word,
	"whole number": Number, "mapping of text to text": Labels,
}

// Step is one of the questions that a person is led through.
type Step int

// The steps.
const (
	Source Step = iota
	Stages
	Output
)

// Steps are the names of the steps.
var Steps = []string{"Source", "Stages", "Output"}

// steps puts keys, or all that begin as they do with a dot behind, into a step. Whatever is not here is a stage's.
var steps = map[string]Step{
	"input": Source, "input_format": Source, "checksum": Source, "name": Source, "vm": Source, "nics": Source,
	"output_format": Output, "output_dir": Output, "output_name": Output, "compress": Output, "compression": Output, "compress_level": Output,
	"flatten": Output, "dry_run": Output, "tags": Output,
}

// stages are the switches of whole stages; the keys behind one of them in the table belong to its stage.
var stages = []string{"inspect", "fix", "validate"}

// needs says what a choice needs, or costs, beyond what the table of keys says that it does.
var needs = map[string]string{
	"inspect":             "Needs nothing; the guest is only read. Repairs need to know the guest: without this there are none.",
	"fix":                 "Works on an overlay: the source is never written. What cannot be repaired is left out with a warning, unless it was asked for.",
	"fstab_mode":          "Needs a Linux guest.",
	"regen_initramfs":     "Needs a Linux guest whose own tools build it (dracut, initramfs-tools, mkinitcpio).",
	"fix_grub":            "Needs a Linux guest with GRUB.",
	"network_fix_level":   "Each level does what the one before does, and more.",
	"remove_vmware_tools": "Needs nothing; the guest's other settings stay.",
	"validate":            "Needs nothing. The content is proved equal to the source's either way.",
	"boot_test":           "Needs QEMU on the daemon's host, and /dev/kvm to be quick. The VM runs without a network, on an overlay.",
	"require_boot":        "Needs boot_test.",
	"compression":         "zstd needs QEMU 5.1 or later where the image is used.",
	"flatten":             "Needs every layer of the chain.",
	"output_dir":          "Needs to be below the daemon's output_roots, unless root or the daemon's user submits.",
	"checksum":            "The whole source is read once more.",
	"dry_run":             "Nothing is converted.",
}

// Field is one thing that can be answered for a VM.
type Field struct {
	Path    string // in the job config: vm.cpu
	Kind    Kind
	Step    Step
	Stage   string   // the stage that it is part of, among Stages; "" for others
	Values  []string // of a Word
	Default string   // what holds without an answer; "" = nothing, or found out
	Own     bool     // the default is the daemon's own and not the product's
	Range   string
	Does    string // what it is for
	Needs   string // what it would need; "" = nothing that is worth a word
}

// Fields are all fields, in the order of the table of keys, the mappings' keys in the mappings' places.
func Fields() []Field { return slices.Clone(table()) }

// table is made once: it is looked into for every line of a screen.
var table = sync.OnceValue(func() []Field {
	var out []Field
	stage := ""
	for _, f := range manifest.Fields() {
		if f.Dialect != manifest.DialectJobConfig || f.Type == "mapping" || f.Path == "$schema" || f.Path == "jobs" || strings.Contains(f.Path, "[]") {
			continue
		}
		top, _, _ := strings.Cut(f.Path, ".")
		step, known := steps[top]
		if !known {
			step = Stages
		}
		if slices.Contains(stages, f.Path) {
			stage = f.Path
		}
		n := Field{Path: f.Path, Kind: kinds[f.Type], Step: step, Values: f.Values, Default: f.Default, Range: f.Range, Does: f.Text, Needs: needs[f.Path]}
		if step == Stages {
			n.Stage = stage
		}
		out = append(out, n)
	}
	return out
})

// FieldOf is the field with a path.
func FieldOf(path string) (Field, bool) {
	all := table()
	i := slices.IndexFunc(all, func(f Field) bool { return f.Path == path })
	if i < 0 {
		return Field{}, false
	}
	return all[i], true
}

// Flag is the name of the flag that gives the answer on a command line.
func (f Field) Flag() string { return strings.NewReplacer("_", "-", ".", "-").Replace(f.Path) }

// Head tells whether the field is the switch of a whole stage.
func (f Field) Head() bool { return f.Stage == f.Path }

// On reads an answer to a Switch; without one, the default.
func (f Field) On(vm VM) bool {
	v, ok := vm[f.Path]
	if !ok {
		v = f.Default
	}
	return v == "true"
}
