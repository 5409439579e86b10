package main

import (
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/manifest"
)

func newExplain(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [CODE]",
		Short: "Explain an error code; without one, list them all",
		Example: `  hyperctl explain H2K-SRC-004
  hyperctl explain -o json`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			if len(args) == 0 {
				for _, c := range manifest.Codes() {
					ids = append(ids, c.ID+"\t"+c.Title)
				}
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return runExplainAll(con)
			}
			return runExplain(con, args[0])
		},
	}
}

// codeDoc is a code in JSON and YAML.
type codeDoc struct {
	ID        string `json:"code"`
	Title     string `json:"title"`
	Cause     string `json:"cause"`
	Hint      string `json:"hint"`
	Retryable bool   `json:"retryable"`
}

func runExplain(con *console, id string) error {
	c, ok := manifest.LookupCode(strings.ToUpper(strings.TrimSpace(id)))
	if !ok {
		return &failure{exit: exitNotFound, what: fmt.Sprintf("there is no code %q", id),
			why: "codes look like H2K-SRC-004", try: "hyperctl explain"}
	}
	return con.printOne(codeDoc(c), c.ID, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s\n\n", con.style.paint(bold, c.ID), c.Title)
		fmt.Fprintf(w, "Why:   %s\n", c.Cause)
		fmt.Fprintf(w, "Do:    %s\n", c.Hint)
		again := "no: the same job fails again until something is changed"
		if c.Retryable {
			again = "yes: hyperctl workflow retry JOB may succeed without a change"
		}
		fmt.Fprintf(w, "Retry: %s\n", again)
	})
}

func runExplainAll(con *console) error {
	v := view[manifest.Code]{
		name: func(c manifest.Code) string { return c.ID },
		doc:  func(c manifest.Code) any { return codeDoc(c) },
		columns: []column[manifest.Code]{
			{title: "CODE", cell: func(c manifest.Code) (string, string) { return c.ID, "" }},
			{title: "WHAT HAPPENED", cell: func(c manifest.Code) (string, string) { return clean(c.Title), "" }},
			{title: "DO", wide: true, cell: func(c manifest.Code) (string, string) { return cleanLine(c.Hint), "" }},
		},
	}
	return printAll(con, v, all(manifest.Codes()))
}

// all yields the elements of a slice, none of them with an error.
func all[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}
