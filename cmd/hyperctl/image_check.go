package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/manifest"
)

func newImageCheck(con *console) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check the structure of images: tables, counters, overlaps (exit code 1 when something is wrong)",
		Long: `Check the structure of images: that their tables and data lie in the file, do not overlap and are counted right. Nothing is
changed and no content is read. Leaks, which are space that nothing uses, are told but are no problem.

The exit code is 1 when an image has problems. The file itself is checked; of a snapshot, check its parents too.`,
		Example: `  hyperctl image check web01.qcow2
  hyperctl image check *.vmdk -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageCheck(cmd.Context(), con, args, format) },
	}
	sourceFormat(cmd, &format)
	return cmd
}

// The verdicts of a check.
const (
	verdictClean   = "clean"
	verdictDamaged = "damaged"
	verdictNone    = "unchecked" // the format has no structure, or no check
)

// checkDoc is the result of a check in JSON and YAML; fields are only ever added.
type checkDoc struct {
	File     string   `json:"file"`
	Format   string   `json:"format"`
	Variant  string   `json:"variant,omitempty"`
	Verdict  string   `json:"verdict"` // clean, damaged, unchecked
	Units    int64    `json:"units"`   // clusters, grains or blocks of the disk
	Stored   int64    `json:"stored"`  // of them stored in this file
	Leaks    int64    `json:"leaks"`   // stored and used by nothing
	Problems []string `json:"problems"`
	More     int64    `json:"more_problems"` // beyond those listed
	Parent   string   `json:"parent,omitempty"`
	Note     string   `json:"note,omitempty"`
}

func runImageCheck(ctx context.Context, con *console, paths []string, format string) error {
	damaged := 0
	err := printImages(con, checkView(con), paths, func(path string) (checkDoc, error) {
		d, err := checkImage(ctx, path, format)
		if d.Verdict == verdictDamaged {
			damaged++
		}
		return d, err
	})
	if err == nil && damaged > 0 {
		return &failure{exit: exitError, mute: true, what: "problems were found"}
	}
	return err
}

func checkImage(ctx context.Context, path, format string) (checkDoc, error) {
	img, err := openImage(ctx, path, format)
	if err != nil {
		return checkDoc{}, err
	}
	defer img.Close()
	d := checkDoc{File: path, Verdict: verdictNone, Problems: []string{}}
	if layers := formats.Describe(img); len(layers) > 0 {
		d.Format, d.Variant, d.Parent = layers[0].Format, layers[0].Variant, layers[0].Parent
	}
	c, ok := img.(disk.Checker)
	switch {
	case !ok && d.Format == manifest.FormatRaw:
		d.Note = "a raw image has no structure to check"
		return d, nil
	case !ok:
		d.Note = "this version has no check for format " + d.Format
		return d, nil
	}
	found, err := c.Check(ctx)
	if err != nil {
		return checkDoc{}, imageFailure(path, err)
	}
	d.take(found)
	return d, nil
}

// take fills in what a check found.
func (d *checkDoc) take(found disk.Findings) {
	d.Verdict, d.Units, d.Stored, d.Leaks, d.More = verdictClean, found.Units, found.Stored, found.Leaks, found.More
	if !found.Clean() {
		d.Verdict = verdictDamaged
	}
	for _, p := range found.Problems {
		d.Problems = append(d.Problems, p.Error())
	}
}

func checkView(con *console) imageView[checkDoc] {
	return imageView[checkDoc]{
		name:  func(d checkDoc) string { return d.Verdict },
		write: func(w io.Writer, d checkDoc) { writeCheck(w, con.style, d) },
	}
}

func writeCheck(w io.Writer, s style, d checkDoc) {
	head := clean(d.File) + ": " + clean(strings.TrimSpace(d.Format+" "+d.Variant)) + ", "
	switch d.Verdict {
	case verdictNone:
		fmt.Fprintln(w, s.paint(grey, s.icon("·", "-"))+" "+head+"not checked: "+cleanLine(d.Note))
		return
	case verdictClean:
		head = s.paint(green, s.icon("✔", "+")) + " " + head + "no problems"
	default:
		head = s.paint(red, s.icon("✖", "x")) + " " + head + count(len(d.Problems)+int(d.More), "problem", "problems")
	}
	if d.Units > 0 {
		head += fmt.Sprintf("; %d of %s stored", d.Stored, count(int(d.Units), "unit", "units"))
	}
	if d.Leaks > 0 {
		head += "; " + count(int(d.Leaks), "unit", "units") + " leaked: space that nothing uses, no danger"
	}
	fmt.Fprintln(w, head)
	for _, p := range d.Problems {
		fmt.Fprintln(w, "  "+cleanLine(p))
	}
	if d.More > 0 {
		fmt.Fprintf(w, "  and %d more\n", d.More)
	}
	if d.Parent != "" {
		fmt.Fprintln(w, "  its parent "+clean(d.Parent)+" is a file of its own: check it too")
	}
}
