package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/manifest"
)

func newManifest(con *console) *cobra.Command {
	return newGroup("manifest", "Check, write and submit manifests and disks",
		prints(newValidate(con), manifest.Problem{}), prints(newSubmit(con), submitted{}), newGenerate(con), newManifestCreate(con),
		prints(newManifestExplain(con), manifest.Field{}), newSchema(con))
}

// fileFlag adds -f, the older way to name a file; arguments say the same.
func fileFlag(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVarP(files, "file", "f", nil, "a `file`, as the arguments are; - is standard input")
	if err := cmd.MarkFlagFilename("file"); err != nil {
		panic(err) // the line above defines it
	}
}

// needFiles refuses a command line without a file.
func needFiles(files *[]string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args)+len(*files) == 0 {
			f := usagef("no file is given")
			f.try = cmd.CommandPath() + " FILE, or - for standard input"
			return f
		}
		stdin := 0
		for _, name := range slices.Concat(args, *files) {
			if name == "-" {
				stdin++
			}
		}
		if stdin > 1 {
			return usagef("standard input can be read only once")
		}
		return nil
	}
}

// document is a manifest that was read.
type document struct {
	path     string // as the user named it; - is standard input
	name     string // for messages
	content  []byte
	drafts   []manifest.Draft
	problems manifest.Problems
}

// readManifest reads and checks one manifest. The error is about reading only.
func (c *console) readManifest(path string) (document, error) {
	d := document{path: path, name: path}
	r := c.in
	if path == "-" {
		d.name = "<stdin>"
	} else {
		f, err := os.Open(path)
		if err != nil {
			return d, readFailure(path, err)
		}
		defer f.Close()
		if st, err := f.Stat(); err == nil && st.IsDir() {
			return d, &failure{exit: exitUsage, what: path + " is a directory", try: "name the manifest in it"}
		}
		r = f
	}
	var err error
	// One byte more than is allowed, so that the check of the size sees it.
	if d.content, err = io.ReadAll(io.LimitReader(r, manifest.MaxBytes+1)); err != nil {
		return d, readFailure(d.name, err)
	}
	d.drafts, d.problems = manifest.Load(d.name, d.content)
	return d, nil
}

// readFailure is an error in reading a file that the user named.
func readFailure(path string, err error) error {
	f := *explainError(err)
	f.what, f.why, f.err = "cannot read "+path, err.Error(), err
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		f.why = pe.Err.Error()
	}
	if errors.Is(err, fs.ErrNotExist) {
		f.why, f.try = "there is no such file", "ls -l "+quoteArg(filepath.Dir(path))
	}
	return &f
}

// isManifest tells whether a file is a manifest by its name.
func isManifest(path string) bool {
	return path == "-" || slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(path)))
}

// invalid is the failure for manifests that have errors; what is wrong was printed before it.
func invalid(docs []document) *failure {
	var bad []string
	failures := 0
	var first manifest.Problem
	for _, d := range docs {
		n, _ := d.problems.Counts()
		if n == 0 {
			continue
		}
		if failures == 0 {
			for _, p := range d.problems {
				if p.Severity == manifest.SeverityError {
					first = p
					break
				}
			}
		}
		failures += n
		bad = append(bad, d.name)
	}
	if failures == 0 {
		return nil
	}
	f := &failure{exit: exitManifest, code: first.Code,
		what: fmt.Sprintf("%s in %s", count(failures, "error", "errors"), strings.Join(bad, ", ")), why: first.String(),
		try: "hyperctl explain " + first.Code}
	if first.Path != "" {
		f.try = "hyperctl manifest explain " + quoteArg(first.Path)
	}
	return f
}
