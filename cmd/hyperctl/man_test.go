package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/manifest"
)

// TestManual: each command has a page with its flags, each key of a manifest is told, and no page names one that there is not.
func TestManual(t *testing.T) {
	root := newRoot(newConsole(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }, time.Now), func() {})
	pages := append(commandPages(root), manifestPage())
	known := map[string]bool{"hyper2kvmd(8)": true, "hyper2kvm-workflow-daemon(5)": true}
	for _, p := range pages {
		_, file, _ := strings.Cut(p.File(), "/")
		name := strings.TrimSuffix(strings.TrimSuffix(file, ".1"), ".5")
		known[name+"("+file[len(name)+1:]+")"] = true
	}
	for _, c := range leaves(root) {
		if !known[pageName(c)+"(1)"] {
			t.Errorf("%s has no page", c.CommandPath())
		}
	}
	for _, p := range pages {
		for _, see := range p.See {
			if !known[see] {
				t.Errorf("%s sends its reader to %s, which there is not", p.Name, see)
			}
		}
		if p.Short == "" || len(p.Bytes()) < 200 {
			t.Errorf("%s says nothing", p.Name)
		}
	}
	page := manifestPage().Bytes()
	for _, f := range manifest.Fields() {
		if !bytes.Contains(page, []byte(strings.ReplaceAll(f.Path, "-", `\-`))) {
			t.Errorf("%s is not in the manual", f.Path)
		}
	}
}
