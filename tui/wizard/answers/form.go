package answers

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/manifest"
)

// VM are the answers for one VM by the path of their field. What is not there is not answered.
type VM map[string]string

// Form are the answers for all VMs of a manifest, at least one.
type Form struct{ VMs []VM }

// New is a form of one VM without answers.
func New() Form { return Form{VMs: []VM{{}}} }

// Clone is a form that shares nothing with f.
func (f Form) Clone() Form {
	out := Form{VMs: make([]VM, len(f.VMs))}
	for i, vm := range f.VMs {
		out.VMs[i] = maps.Clone(vm)
	}
	return out
}

// Equal tells whether two forms say the same.
func (f Form) Equal(o Form) bool {
	return slices.EqualFunc(f.VMs, o.VMs, func(a, b VM) bool { return maps.Equal(a, b) })
}

// Empty tells whether nothing was answered.
func (f Form) Empty() bool {
	return !slices.ContainsFunc(f.VMs, func(vm VM) bool { return len(vm) > 0 })
}

// Set gives an answer; "" takes it back.
func (vm VM) Set(path, value string) {
	if value == "" {
		delete(vm, path)
		return
	}
	vm[path] = value
}

// Inputs are the sources of a VM.
func (vm VM) Inputs() []string { return lines(vm["input"]) }

// Name is what the VM will be called; "" when nothing says it.
func (vm VM) Name() string {
	if n := vm["name"]; n != "" {
		return n
	}
	if in := vm.Inputs(); len(in) > 0 {
		return manifest.NameFor(in[0])
	}
	return ""
}

func lines(s string) []string {
	return slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return l == "" })
}

// Problem is a problem and the answer that it is about.
type Problem struct {
	manifest.Problem
	VM    int    // index of the VM; -1 = all
	Field string // path of the field; "" = the VM as a whole
}

// Check finds what is wrong with the manifest that the form would be written as: what `manifest validate` says of it.
func (f Form) Check() []Problem {
	content, err := f.YAML()
	if err != nil {
		return []Problem{{Problem: manifest.Problem{Code: manifest.CodeManifestEncoding, Severity: manifest.SeverityError, Message: err.Error()}, VM: -1}}
	}
	_, found := manifest.Load("manifest.yaml", content)
	out := make([]Problem, 0, len(found))
	for _, p := range found {
		vm, path := f.place(p.Path)
		if p.Code == manifest.CodeManifestDialect { // of no answers nothing can be told
			p.Code, p.Message, p.Hint = manifest.CodeManifestRequired, `"input" is missing`, "choose what is to be converted"
		}
		if path == "" && p.Code == manifest.CodeManifestRequired {
			path = "input" // the one key that is required
		}
		out = append(out, Problem{p, vm, path})
	}
	return out
}

// place finds the VM and the field of a path in the manifest.
func (f Form) place(path string) (vm int, field string) {
	if len(f.VMs) > 1 {
		rest, ok := strings.CutPrefix(path, "jobs[")
		n, rest, _ := strings.Cut(rest, "]")
		i, err := strconv.Atoi(n)
		if !ok || err != nil || i < 0 || i >= len(f.VMs) {
			return -1, ""
		}
		vm, path = i, strings.TrimPrefix(rest, ".")
	}
	for _, field := range table() {
		if rest, ok := strings.CutPrefix(path, field.Path); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return vm, field.Path
		}
	}
	return vm, ""
}

// Change is an answer beside what would hold without it.
type Change struct {
	VM      int
	Path    string
	Default string // "" = nothing
	Value   string
	Same    bool // the answer is what would hold anyway
}

// Changes are the answers as differences from the defaults, VM by VM, in the order of the fields.
func (f Form) Changes(fields []Field) []Change {
	var out []Change
	for i, vm := range f.VMs {
		for _, field := range fields {
			if v, ok := vm[field.Path]; ok {
				out = append(out, Change{i, field.Path, field.Default, v, v == field.Default})
			}
		}
	}
	return out
}

// Args are the answers as flags of a command line. The flag next begins another VM.
func (f Form) Args(next string) []string {
	var out []string
	fields := Fields()
	for i, vm := range f.VMs {
		if i > 0 {
			out = append(out, next)
		}
		for _, field := range fields {
			v, ok := vm[field.Path]
			switch {
			case !ok:
			case field.Kind == Lines:
				for _, l := range lines(v) {
					out = append(out, "--"+field.Flag(), l)
				}
			case field.Kind == Switch && v == "true":
				out = append(out, "--"+field.Flag())
			case field.Kind == Switch:
				out = append(out, "--"+field.Flag()+"="+v)
			default:
				out = append(out, "--"+field.Flag(), v)
			}
		}
	}
	return out
}
