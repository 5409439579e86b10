package config

import (
	"strings"

	sy "hyper2kvm/internal/strictyaml"
)

// Setting is one key of the file as it holds.
type Setting struct {
	Key   string // dotted: of what stands under workflow the flat key
	Value string // as it is written; items of lists with commas between them; "" = nothing is said and there is no default
	Line  int    // of the file; 0 = the default
	Text  string // what it is for
}

// Settings reads a configuration file and says of each setting where its value comes from. Errors are as in Parse.
func Settings(name string, b []byte) ([]Setting, error) {
	c, err := Parse(name, b)
	if err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	var r reader
	if !empty(b) {
		r.root, _ = sy.Parse(name, b)
	}
	var all []Setting
	for _, f := range shape.Fields {
		if f.Key == "command" || f.Key == "workflow" || f.Key == "workflow_mode" {
			continue
		}
		s := Setting{Key: f.Key, Value: strings.Trim(f.Default, `"`), Text: f.Text}
		if f.Key == "workflow_dir" {
			s.Value = c.WorkflowDir // the default is the mode's
		}
		if n := r.find(f.Key); n != nil {
			s.Value, s.Line = valueText(n), n.KeyPos.Line
		}
		all = append(all, s)
	}
	return all, nil
}

// valueText is a value on one line.
func valueText(n *sy.Node) string {
	var parts []string
	switch n.Kind {
	case sy.List:
		for _, item := range n.Items {
			parts = append(parts, item.Value)
		}
	case sy.Map:
		for _, e := range n.Entries {
			parts = append(parts, e.Key+": "+e.Value.Value)
		}
	default:
		return n.Value
	}
	return strings.Join(parts, ", ")
}
