package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	sy "hyper2kvm/internal/strictyaml"
)

// SchemaPath is where packages install the schema of manifests; generated manifests name it, so that editors find it.
const SchemaPath = "/usr/share/hyper2kvm/schema/manifest-v1.schema.json"

// GenerateOptions says what Generate writes.
type GenerateOptions struct {
	JSON      bool              // JSON, else YAML
	Name      string            // name of a single VM; "" takes the source's
	OneVM     bool              // the sources are the disks of one VM, not a VM each
	OutputDir string            // absolute directory of the result; a batch gets a directory in it for each VM; "" leaves it to the daemon
	Format    string            // output format; "" is qcow2
	Set       map[string]string // further keys by path as in pipeline.convert.compress; each must be one that Load knows
	Tags      Tags
	Schema    string // what $schema says; "" is SchemaPath
}

// ErrSources is the kind of Generate's errors about what it was given to describe.
var ErrSources = errors.New("cannot describe the sources")

// Generate writes a pipeline manifest for source files: for one VM, or a batch with a VM for each. It names every repair, so
// that the file shows what can be said. What it returns loads without a problem; otherwise it returns an error, an ErrSources or
// an ErrInvalid.
func Generate(sources []string, o GenerateOptions) ([]byte, error) {
	switch {
	case len(sources) == 0:
		return nil, fmt.Errorf("%w: there are none", ErrSources)
	case o.Name != "" && len(sources) > 1 && !o.OneVM:
		return nil, fmt.Errorf("%w: one name cannot stand for %d VMs", ErrSources, len(sources))
	}
	o.Format, o.Schema = orText(o.Format, FormatQcow2), orText(o.Schema, SchemaPath)
	doc := sy.NewMap(sy.Entry{Key: "version", Value: sy.NewText("1.0")})
	if o.JSON {
		doc.Entries = slices.Insert(doc.Entries, 0, sy.Entry{Key: "$schema", Value: sy.NewText(o.Schema)})
	}
	if len(sources) == 1 || o.OneVM {
		vm, err := o.vm(sources, o.OutputDir, orText(o.Name, NameFor(sources[0])))
		if err != nil {
			return nil, err
		}
		doc.Entries = append(doc.Entries, vm.Entries...)
	} else {
		vms, taken := sy.NewList(), map[string]bool{}
		for _, s := range sources {
			name := strings.TrimSuffix(partName(NameFor(s), taken), ".json")
			dir := o.OutputDir
			if dir != "" {
				dir = path.Join(dir, name)
			}
			vm, err := o.vm([]string{s}, dir, name)
			if err != nil {
				return nil, err
			}
			vms.Items = append(vms.Items, vm)
		}
		doc.Entries = append(doc.Entries, sy.Entry{Key: "batch", Value: sy.NewBool(true)}, sy.Entry{Key: "vms", Value: vms})
	}
	return o.write(doc)
}

// write encodes the document and reads it back, so that nothing leaves that Load would refuse.
func (o GenerateOptions) write(doc *sy.Node) ([]byte, error) {
	file, out := "generated.json", doc.JSON()
	if !o.JSON {
		body, err := doc.YAML()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSources, err)
		}
		file, out = "generated.yaml", slices.Concat([]byte("# yaml-language-server: $schema="+o.Schema+"\n"), body)
		if bytes.ContainsAny([]byte(o.Schema), "\r\n") {
			return nil, fmt.Errorf("%w: the schema's address holds a line end", ErrSources)
		}
	}
	if _, problems := Load(file, out); problems.Err() != nil {
		return nil, problems.Err()
	}
	return out, nil
}

// vm describes one VM.
func (o GenerateOptions) vm(sources []string, dir, name string) (*sy.Node, error) {
	on := sy.NewBool(true)
	m := func(key string, entries ...sy.Entry) sy.Entry {
		return sy.Entry{Key: key, Value: sy.NewMap(entries...)}
	}
	e := func(key string, v *sy.Node) sy.Entry { return sy.Entry{Key: key, Value: v} }

	load := m("load")
	kind := strings.TrimPrefix(strings.ToLower(path.Ext(sources[0])), ".")
	if slices.Contains(sourceTypes, kind) {
		load.Value.Entries = append(load.Value.Entries, e("source_type", sy.NewText(kind)))
	}
	paths := sy.NewText(sources[0])
	if len(sources) > 1 {
		paths = sy.NewList()
		for _, s := range sources {
			paths.Items = append(paths.Items, sy.NewText(s))
		}
	}
	load.Value.Entries = append(load.Value.Entries, e("source_path", paths))

	convert := m("convert", e("output_format", sy.NewText(o.Format)))
	if o.Format == FormatQcow2 {
		convert.Value.Entries = append(convert.Value.Entries, e("compress", on))
	}
	if dir != "" {
		convert.Value.Entries = append(convert.Value.Entries, e("output_path", sy.NewText(path.Join(dir, name+"."+o.Format))))
	}
	vm := sy.NewMap(e("name", sy.NewText(name)), m("pipeline",
		load,
		m("inspect", e("enabled", on), e("detect_os", on)),
		m("fix",
			m("fstab", e("enabled", on), e("mode", sy.NewText(FstabStabilizeAll))),
			m("grub", e("enabled", on)),
			m("initramfs", e("enabled", on), e("regenerate", on)),
			m("network", e("enabled", on), e("fix_level", sy.NewText(NetworkModerate)))),
		convert,
		m("validate", e("enabled", on), e("boot_test", sy.NewBool(false)))))
	if len(o.Tags) > 0 {
		tags := m("tags")
		for _, key := range sortedKeys(o.Tags) {
			tags.Value.Entries = append(tags.Value.Entries, e(key, sy.NewText(o.Tags[key])))
		}
		vm.Entries = append(vm.Entries, tags)
	}
	for _, key := range sortedKeys(o.Set) {
		if err := set(vm, key, o.Set[key]); err != nil {
			return nil, err
		}
	}
	return vm, nil
}

// set puts a value under a dotted path. The table of keys says what kind of value it is.
func set(vm *sy.Node, dotted, value string) error {
	keys := strings.Split(dotted, ".")
	shape := pipelineShape
	for i, key := range keys {
		f := shape.Field(key)
		if f == nil || (f.Of == nil || f.Type != sy.TypeMap) != (i == len(keys)-1) || key == "version" || key == "batch" || key == "$schema" {
			return fmt.Errorf("%w: %s is not a key that can be set", ErrSources, sy.Quote(dotted))
		}
		at := slices.IndexFunc(vm.Entries, func(e sy.Entry) bool { return e.Key == key })
		if at < 0 {
			at = len(vm.Entries)
			vm.Entries = append(vm.Entries, sy.Entry{Key: key, Value: sy.NewMap()})
		}
		if i < len(keys)-1 {
			vm, shape = vm.Entries[at].Value, f.Of
			continue
		}
		switch f.Type {
		case sy.TypeBool:
			if value != "true" && value != "false" {
				return fmt.Errorf("%w: %s: want true or false, got %s", ErrSources, dotted, sy.Quote(value))
			}
			vm.Entries[at].Value = sy.NewBool(value == "true")
		case sy.TypeInt:
			n := &sy.Node{Kind: sy.Int, Value: value}
			if n.Int() == nil {
				return fmt.Errorf("%w: %s: want a whole number, got %s", ErrSources, dotted, sy.Quote(value))
			}
			vm.Entries[at].Value = n
		case sy.TypeText, sy.TypeWord, sy.TypeTexts, sy.TypeTime:
			vm.Entries[at].Value = sy.NewText(value)
		default:
			return fmt.Errorf("%w: %s is not a key that can be set", ErrSources, sy.Quote(dotted))
		}
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func orText(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
