package main

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/disk"
)

func newImageMap(con *console) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "map FILE",
		Short: "Print where an image and its chain hold data, and where zeroes",
		Long: `Print where an image and its chain hold data, and where zeroes. Offsets and lengths are bytes of content, as the guest sees it.

data is what a conversion reads; zero is said to be zero by the image; unallocated was never written by any layer and reads as
zeroes too.`,
		Example: `  hyperctl image map web01.vmdk
  hyperctl image map web01.vmdk -o json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageMap(cmd.Context(), con, args[0], format) },
	}
	sourceFormat(cmd, &format)
	return cmd
}

// extentDoc is a range of content in JSON and YAML, in bytes.
type extentDoc struct {
	Start      int64  `json:"start"`
	Length     int64  `json:"length"`
	Kind       string `json:"kind"` // data, zero, unallocated
	Compressed bool   `json:"compressed"`
}

func runImageMap(ctx context.Context, con *console, path, format string) error {
	img, err := openImage(ctx, path, format)
	if err != nil {
		return err
	}
	defer img.Close()
	return printAll(con, mapView(), joined(extents(ctx, img, path)))
}

// extents reads the map of an image, ascending and without gaps.
func extents(ctx context.Context, img disk.Image, path string) iter.Seq2[disk.Extent, error] {
	return func(yield func(disk.Extent, error) bool) {
		for off := int64(0); off < img.Size(); {
			e, err := img.Extent(ctx, off)
			if err == nil && (e.Off != off || e.Len < 1 || e.Len > img.Size()-off) {
				err = &disk.Error{Op: "map", Off: -1, Kind: disk.ErrCorrupt,
					Detail: fmt.Sprintf("asked for the extent at %d, got %d bytes at %d", off, e.Len, e.Off)}
			}
			if err != nil {
				yield(e, imageFailure(path, err))
				return
			}
			if !yield(e, nil) {
				return
			}
			off = e.End()
		}
	}
}

// joined makes one extent of neighbours that are alike.
func joined(rows iter.Seq2[disk.Extent, error]) iter.Seq2[disk.Extent, error] {
	return func(yield func(disk.Extent, error) bool) {
		var last disk.Extent
		for e, err := range rows {
			switch {
			case err != nil:
				if last.Len == 0 || yield(last, nil) {
					yield(e, err)
				}
				return
			case last.Len > 0 && last.Kind == e.Kind && last.Compressed == e.Compressed:
				last.Len += e.Len
			default:
				if last.Len > 0 && !yield(last, nil) {
					return
				}
				last = e
			}
		}
		if last.Len > 0 {
			yield(last, nil)
		}
	}
}

func mapView() view[disk.Extent] {
	word := func(e disk.Extent) string {
		if e.Compressed {
			return e.Kind.String() + ", compressed"
		}
		return e.Kind.String()
	}
	return view[disk.Extent]{
		name: func(e disk.Extent) string { return strconv.FormatInt(e.Off, 10) },
		doc: func(e disk.Extent) any {
			return extentDoc{Start: e.Off, Length: e.Len, Kind: e.Kind.String(), Compressed: e.Compressed}
		},
		columns: []column[disk.Extent]{
			{title: "START", right: true, cell: func(e disk.Extent) (string, string) { return strconv.FormatInt(e.Off, 10), "" }},
			{title: "LENGTH", right: true, cell: func(e disk.Extent) (string, string) { return strconv.FormatInt(e.Len, 10), "" }},
			{title: "SIZE", wide: true, right: true, cell: func(e disk.Extent) (string, string) { return bytesText(e.Len), "" }},
			{title: "KIND", cell: func(e disk.Extent) (string, string) {
				color := ""
				if e.Kind != disk.Data {
					color = grey
				}
				return word(e), color
			}},
		},
	}
}
