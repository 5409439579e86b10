package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"hyper2kvm/internal/manifest"
)

// Read takes the answers from a manifest of any dialect. lost says what a job config has no key for, or the manifest says of where
// it comes from; it is not in the form. When there is an error among the problems, the form is empty.
func Read(name string, content []byte) (f Form, lost []string, problems manifest.Problems) {
	drafts, problems := manifest.Load(name, content)
	if problems.Err() != nil {
		return New(), nil, problems
	}
	parts, more := manifest.Split(name, content)
	if more.Err() != nil {
		return New(), nil, more
	}
	for i, d := range drafts {
		vm := VM{}
		if d.Dialect == manifest.DialectJobConfig {
			lost = append(lost, vm.take(parts[i].Content)...)
		} else {
			vm.draft(d)
			lost = append(lost, vm.missing(d)...)
		}
		f.VMs = append(f.VMs, vm)
	}
	slices.Sort(lost)
	return f, slices.Compact(lost), problems
}

// take reads the keys of one VM's job config, written as JSON, and returns those that it has no field for.
func (vm VM) take(content []byte) (unknown []string) {
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.UseNumber()
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return []string{"all of it: " + err.Error()} // the loader wrote it
	}
	delete(doc, "$schema")
	for _, f := range Fields() {
		if v, ok := pluck(doc, f.Path); ok {
			vm.Set(f.Path, answer(f.Kind, v))
		}
	}
	for key, v := range doc {
		if m, ok := v.(map[string]any); !ok || len(m) > 0 {
			unknown = append(unknown, key)
		}
	}
	return unknown
}

// pluck takes the value under a dotted path out of a document.
func pluck(doc map[string]any, path string) (any, bool) {
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		next, ok := doc[key].(map[string]any)
		if !ok {
			return nil, false
		}
		doc = next
	}
	last := keys[len(keys)-1]
	v, ok := doc[last]
	delete(doc, last)
	return v, ok
}

// answer is a value of a document as a person would have given it.
func answer(k Kind, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		if k != Lines {
			break
		}
		all := make([]string, len(v))
		for i := range v {
			all[i] = fmt.Sprint(v[i])
		}
		return strings.Join(all, "\n")
	case map[string]any:
		if k == Labels {
			return labelText(v)
		}
	default:
		return fmt.Sprint(v)
	}
	return oneLine(v)
}

// oneLine writes a list or mapping as YAML on one line.
func oneLine(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	var doc yaml.Node
	if yaml.Unmarshal(b, &doc) != nil || len(doc.Content) != 1 {
		return string(b)
	}
	flow(doc.Content[0])
	out, err := yaml.Marshal(doc.Content[0])
	if s := strings.TrimSuffix(string(out), "\n"); err == nil && structure(s) != nil {
		return s
	}
	return string(b) // JSON is YAML too
}

// flow writes a tree in braces, with quotes only where they are needed.
func flow(n *yaml.Node) {
	if n.Kind != yaml.ScalarNode {
		n.Style = yaml.FlowStyle
	} else if n.Tag == "!!str" {
		*n = *text(n.Value)
		if strings.ContainsAny(n.Value, ",[]{}#&*!|>'\"%@`:\\") {
			n.Style = yaml.DoubleQuotedStyle
		}
	}
	for _, c := range n.Content {
		flow(c)
	}
}

// labelText writes labels as key=value, key=value, or where that would not be read back, as a mapping in braces.
func labelText(m map[string]any) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v := fmt.Sprint(m[key])
		if odd(key) || key == "" || odd(v) {
			return oneLine(m)
		}
		parts = append(parts, key+"="+v)
	}
	return strings.Join(parts, ", ")
}

func odd(s string) bool {
	return strings.ContainsAny(s, ",={}\"'\\") || strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// keysOf gives the key of the job config for an answer that a manifest of another dialect gave, by its path in manifest.Asked. A
// path that is not here has the key that it ends in, where there is one.
var keysOf = map[string]string{
	"source.type": "input_format", "machine.cpus": "vm.cpu", "machine.memory_mib": "vm.mem_mb", "machine.firmware": "vm.firmware",
	"machine.secure_boot": "vm.secureboot", "machine.os_hint": "vm.os_hint", "machine.os_version": "vm.os_version", "machine.nics": "nics",
	"fix.grub": "fix_grub", "fix.initramfs": "regen_initramfs", "fix.network": "fix_network", "fix.network_level": "network_fix_level",
	"convert.format": "output_format", "convert.compress": "compress", "convert.compression": "compression", "convert.level": "compress_level",
	"convert.flatten": "flatten", "convert.output_dir": "output_dir", "convert.output_name": "output_name",
	"validate.boot_require": "require_boot", "inspect": "inspect", "fix": "fix", "validate": "validate",
}

// draft takes over what a manifest of another dialect asks for.
func (vm VM) draft(d manifest.Draft) {
	job := d.Resolve(manifest.ProductDefaults())
	facts, _ := document(job).(map[string]any)
	vm.Set("input", strings.Join(d.Inputs(), "\n"))
	if len(d.Source.Disks) == 1 && d.Source.Disks[0].SHA256 != "" {
		vm.Set("checksum", "sha256:"+d.Source.Disks[0].SHA256)
	}
	if len(d.Tags) > 0 {
		vm.Set("tags", answer(Labels, facts["tags"]))
	}
	fields := Fields()
	for path := range job.Asked {
		key, known := keysOf[path]
		if !known {
			key = path[strings.LastIndexByte(path, '.')+1:]
		}
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Path == key })
		if i < 0 {
			continue
		}
		v := at(facts, path)
		if m, ok := v.(map[string]any); ok && fields[i].Kind == Switch {
			v = m["enabled"]
		}
		vm.Set(key, answer(fields[i].Kind, v))
	}
	if d.Fstab != nil && !*d.Fstab {
		vm.Set("fstab_mode", manifest.FstabNoop)
	}
}

// document is v as JSON has it.
func document(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var doc any
	if dec.Decode(&doc) != nil {
		return nil
	}
	return doc
}

func at(doc any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		m, _ := doc.(map[string]any)
		doc = m[key]
	}
	return doc
}

// missing compares the job that a draft is with the one that the answers become, and names what differs.
func (vm VM) missing(d manifest.Draft) []string {
	content, err := Form{VMs: []VM{vm}}.YAML()
	if err != nil {
		return []string{err.Error()}
	}
	again, problems := manifest.Load("manifest.yaml", content)
	if len(again) != 1 {
		return []string{fmt.Sprint(problems.Err())}
	}
	was, is := map[string]string{}, map[string]string{}
	flatten(document(d.Resolve(manifest.ProductDefaults())), "", was)
	flatten(document(again[0].Resolve(manifest.ProductDefaults())), "", is)
	var out []string
	for path, v := range was {
		top, _, _ := strings.Cut(path, ".")
		if is[path] == v || top == "dialect" || top == "asked" || path == "fix.fstab_mode" && vm["fstab_mode"] == manifest.FstabNoop {
			continue
		}
		if top == "origin" {
			path = "what the export says of itself"
		}
		out = append(out, path)
	}
	return out
}

// flatten writes the leaves of a document under their dotted paths.
func flatten(doc any, path string, into map[string]string) {
	dot := func(key string) string { return strings.TrimPrefix(path+"."+key, ".") }
	switch v := doc.(type) {
	case map[string]any:
		for key, inner := range v {
			flatten(inner, dot(key), into)
		}
	case []any:
		for i, inner := range v {
			flatten(inner, fmt.Sprintf("%s[%d]", path, i), into)
		}
	default:
		into[path] = fmt.Sprint(v)
	}
}
