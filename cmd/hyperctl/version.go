package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/version"
)

func newVersion(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which build of the program this is; -o json adds what it can do",
		Example: `  hyperctl version
  hyperctl version -o json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return runVersion(con) },
	}
}

// versionDoc is the build, and what it can do, in JSON and YAML.
type versionDoc struct {
	version.Info
	Formats   []formatDoc `json:"formats"`
	Outputs   []string    `json:"outputs"`    // the values of -o
	ExitCodes []exitCode  `json:"exit_codes"` // what each means
}

// formatDoc is an image format that is read or written.
type formatDoc struct {
	Name        string   `json:"name"`
	Read        bool     `json:"read"`
	Write       bool     `json:"write"`
	Compression []string `json:"compression"` // that can be chosen
	Subformats  []string `json:"subformats"`  // that can be chosen
}

func runVersion(con *console) error {
	d := versionDoc{Info: version.Get(), Outputs: append(outputModes, templatePrefix+"TEXT"), ExitCodes: exitCodes}
	for _, f := range formats.Formats() {
		if !f.Read && !f.Write {
			continue
		}
		doc := formatDoc{Name: f.Name, Read: f.Read, Write: f.Write, Compression: []string{}, Subformats: append([]string{}, f.Subformats...)}
		for _, c := range f.Compression {
			if c != "" {
				doc.Compression = append(doc.Compression, c)
			}
		}
		d.Formats = append(d.Formats, doc)
	}
	return con.printOne(d, d.Version, func(w io.Writer) {
		fmt.Fprintf(w, "hyperctl %s", d.Version)
		if d.Revision != "" {
			fmt.Fprintf(w, " (%.12s %s)", d.Revision, d.Time)
		}
		fmt.Fprintf(w, " %s %s\n", d.Go, d.Platform)
	})
}
