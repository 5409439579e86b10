package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/manifest"
)

func newValidate(con *console) *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Check manifests and list everything that is wrong (exit code 3)",
		Long: `Check manifests and job configs of every dialect, and list everything that is wrong, each with its place, its code and
what to write instead. The exit code is 3 when there is an error; warnings alone are no error. -o json prints the list of
problems; it is empty for manifests that are right.`,
		Example: `  hyperctl manifest validate -file manifest.json
  hyperctl manifest validate *.yaml -o json
  generate-manifest | hyperctl manifest validate -`,
		Args: needFiles(&files),
		RunE: func(_ *cobra.Command, args []string) error { return runValidate(con, slices.Concat(files, args)) },
	}
	fileFlag(cmd, &files)
	return cmd
}

func runValidate(con *console, files []string) error {
	var docs []document
	var problems []manifest.Problem
	for _, path := range files {
		d, err := con.readManifest(path)
		if err != nil {
			return err
		}
		docs = append(docs, d)
		problems = append(problems, d.problems...)
	}
	var err error
	if con.opts.output.people() {
		err = con.writeProblems(docs)
	} else {
		err = printAll(con, view[manifest.Problem]{
			name: func(p manifest.Problem) string { return p.File },
			doc:  func(p manifest.Problem) any { return p },
		}, all(problems))
	}
	if err != nil {
		return err
	}
	if f := invalid(docs); f != nil {
		f.mute = true
		return f
	}
	return nil
}

// writeProblems prints what is wrong with each manifest, or that it is right, and sums up.
func (c *console) writeProblems(docs []document) error {
	failures, warnings := 0, 0
	for _, d := range docs {
		n, m := d.problems.Counts()
		failures, warnings = failures+n, warnings+m
		if err := d.problems.Write(c.out, d.content); err != nil {
			return err
		}
		if n > 0 || c.opts.quiet {
			continue
		}
		var names []string
		for _, draft := range d.drafts {
			names = append(names, draft.Name)
		}
		fmt.Fprintf(c.out, "%s: %s, %s: %s\n", clean(d.name), c.style.paint(green, "valid"), count(len(names), "VM", "VMs"),
			cleanLine(strings.Join(names, ", ")))
	}
	if failures+warnings == 0 || c.opts.quiet {
		return nil
	}
	try := ""
	if f := invalid(docs); f != nil {
		try = " Try: " + f.try
	}
	_, err := fmt.Fprintf(c.out, "%s, %s.%s\n", count(failures, "error", "errors"), count(warnings, "warning", "warnings"), try)
	return err
}
