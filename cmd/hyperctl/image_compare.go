package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/disk"
)

func newImageCompare(con *console) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "compare A B",
		Short: "Compare what two disks hold, whatever their formats (exit code 1 when they differ)",
		Long: `Compare what two disks hold, whatever their formats. The exit code is 0 when the contents are equal and 1 when they
differ; the offset of the first difference is printed. Images of different sizes are equal when the rest of the larger one
is zero, unless --strict is given.`,
		Example: `  hyperctl image compare web01.vmdk web01.qcow2`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runImageCompare(cmd.Context(), con, args[0], args[1], disk.CompareOptions{Strict: strict})
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "different sizes are a difference")
	return cmd
}

// differenceDoc is the result of a comparison in JSON and YAML. Offsets and sizes are in bytes of content.
type differenceDoc struct {
	A               string `json:"a"`
	B               string `json:"b"`
	Equal           bool   `json:"equal"`
	FirstDifference *int64 `json:"first_difference,omitempty"`
	SizeA           int64  `json:"size_a"`
	SizeB           int64  `json:"size_b"`
}

func runImageCompare(ctx context.Context, con *console, a, b string, o disk.CompareOptions) error {
	imgA, err := openImage(ctx, a, "")
	if err != nil {
		return err
	}
	defer imgA.Close()
	imgB, err := openImage(ctx, b, "")
	if err != nil {
		return err
	}
	defer imgB.Close()
	diff, err := disk.Compare(ctx, imgA, imgB, o)
	if err != nil && (!diff.Found || !errors.Is(err, disk.ErrMismatch)) {
		return stoppedFailure(fmt.Sprintf("comparing %s with %s", a, b), err)
	}
	d := differenceDoc{A: a, B: b, Equal: !diff.Found, SizeA: diff.SizeA, SizeB: diff.SizeB}
	word := "equal"
	if diff.Found {
		word, d.FirstDifference = "different", &diff.Off
	}
	err = con.printOne(d, word, func(w io.Writer) { writeDifference(w, con, d) })
	if err == nil && diff.Found {
		return &failure{exit: exitError, mute: true, what: "the images differ"}
	}
	return err
}

func writeDifference(w io.Writer, con *console, d differenceDoc) {
	sizes := ""
	if d.SizeA != d.SizeB {
		sizes = fmt.Sprintf(" (sizes %d and %d bytes)", d.SizeA, d.SizeB)
	}
	switch {
	case d.Equal && con.opts.quiet:
	case d.Equal:
		fmt.Fprintf(w, "equal: %s of content%s\n", bytesText(max(d.SizeA, d.SizeB)), sizes)
	default:
		fmt.Fprintf(w, "different: the first difference is at content offset %d (%#x)%s\n", *d.FirstDifference, *d.FirstDifference, sizes)
	}
}
