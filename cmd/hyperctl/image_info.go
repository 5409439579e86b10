package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
)

func newImageInfo(con *console) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "info FILE...",
		Short: "Tell what an image is: format, sizes, the files and parents that belong to it, the disks of an OVA",
		Example: `  hyperctl image info web01.vmdk
  hyperctl image info *.vhdx -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageInfo(cmd.Context(), con, args, format) },
	}
	sourceFormat(cmd, &format)
	return cmd
}

// imageDoc is an image in JSON and YAML. Sizes are in bytes.
type imageDoc struct {
	File        string      `json:"file"`
	Format      string      `json:"format"`
	Variant     string      `json:"variant,omitempty"`
	Creator     string      `json:"creator,omitempty"`
	VirtualSize int64       `json:"virtual_size"`
	Allocated   int64       `json:"allocated"`            // content that is not known to be zero: what a conversion reads
	DiskUsage   int64       `json:"disk_usage,omitempty"` // what its files take on this host
	ClusterSize int64       `json:"cluster_size,omitempty"`
	Compressed  bool        `json:"compressed,omitempty"`
	Files       []string    `json:"files"`
	Chain       []layerDoc  `json:"chain,omitempty"` // all layers, the top first, when there is more than one
	Disks       []memberDoc `json:"disks,omitempty"` // of an OVA; its sizes are their sums
	Notes       []string    `json:"notes,omitempty"`
}

// sealed says that the file is compressed as a whole: what is inside is not known.
func (d imageDoc) sealed() bool { return packed.IsMethod(d.Format) }

// layerDoc is one layer of a chain.
type layerDoc struct {
	Format      string   `json:"format"`
	Variant     string   `json:"variant,omitempty"`
	Files       []string `json:"files"`
	Parent      string   `json:"parent,omitempty"`
	VirtualSize int64    `json:"virtual_size"`
	Notes       []string `json:"notes,omitempty"`
}

func runImageInfo(ctx context.Context, con *console, paths []string, format string) error {
	return printImages(con, infoView(con), paths, func(path string) (imageDoc, error) { return lookAt(ctx, path, format) })
}

// lookAt opens an image and reads its map, but none of its content.
func lookAt(ctx context.Context, path, format string) (imageDoc, error) {
	if format == "" {
		if d, ok, err := lookInside(ctx, path); ok || err != nil {
			return d, err
		}
	}
	img, err := openImage(ctx, path, format)
	if err != nil {
		return imageDoc{}, err
	}
	defer img.Close()
	d := imageDoc{File: path, VirtualSize: img.Size(), Files: []string{}}
	if d.Allocated, err = disk.Allocated(ctx, img); err != nil {
		return imageDoc{}, imageFailure(path, err)
	}
	layers := formats.Describe(img)
	for i, l := range layers {
		if i == 0 {
			d.Format, d.Variant, d.Creator, d.ClusterSize, d.Compressed = l.Format, l.Variant, l.Creator, l.ClusterSize, l.Compressed
			d.Notes = l.Notes
		}
		d.Files = append(d.Files, l.Files...)
		if len(layers) > 1 {
			files := l.Files
			if files == nil {
				files = []string{}
			}
			d.Chain = append(d.Chain, layerDoc{l.Format, l.Variant, files, l.Parent, l.Size, l.Notes})
		}
	}
	if len(d.Files) == 0 {
		d.Files = []string{filepath.Base(path)}
	}
	d.DiskUsage = diskUsage(path, d.Files)
	return d, nil
}

// diskUsage is what the files of an image take on this host; 0 when that is not known. The image's own opener let them through,
// so that their names lead to where the image lies.
func diskUsage(path string, files []string) int64 {
	var sum int64
	for i, name := range files {
		at := path
		if i > 0 {
			if !filepath.IsLocal(name) {
				return 0
			}
			at = filepath.Join(filepath.Dir(path), name)
		}
		var st unix.Stat_t
		if unix.Stat(at, &st) != nil {
			return 0
		}
		sum += st.Blocks * statBlock
	}
	return sum
}

// statBlock is the unit of st_blocks in stat(2), whatever the file system's own.
const statBlock = 512

func infoView(con *console) imageView[imageDoc] {
	size := func(d imageDoc, n int64) string {
		if d.sealed() {
			return "-"
		}
		return bytesText(n)
	}
	col := func(f func(imageDoc) string) func(imageDoc) (string, string) {
		return func(d imageDoc) (string, string) { return f(d), "" }
	}
	return imageView[imageDoc]{
		name:  func(d imageDoc) string { return d.Format },
		write: func(w io.Writer, d imageDoc) { writeImage(w, con.style, d) },
		columns: []column[imageDoc]{
			{title: "FILE", cell: col(func(d imageDoc) string { return clean(d.File) })},
			{title: "FORMAT", cell: col(func(d imageDoc) string { return clean(d.Format) })},
			{title: "VARIANT", cell: col(func(d imageDoc) string { return clean(d.Variant) })},
			{title: "SIZE", right: true, cell: col(func(d imageDoc) string { return size(d, d.VirtualSize) })},
			{title: "ALLOCATED", right: true, cell: col(func(d imageDoc) string { return size(d, d.Allocated) })},
			{title: "LAYERS", right: true, cell: col(func(d imageDoc) string { return fmt.Sprint(max(1, len(d.Chain))) })},
			{title: "NOTES", wide: true, cell: col(func(d imageDoc) string { return cleanLine(strings.Join(d.Notes, "; ")) })},
		},
	}
}

func writeImage(w io.Writer, s style, d imageDoc) {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-10s %s\n", name, cleanLine(value))
		}
	}
	fmt.Fprintf(w, "%-10s %s\n", "File", s.paint(bold, clean(d.File)))
	row("Format", strings.TrimSpace(d.Format+" "+d.Variant))
	row("Made by", d.Creator)
	if !d.sealed() {
		row("Size", fmt.Sprintf("%s (%d bytes)", bytesText(d.VirtualSize), d.VirtualSize))
		row("Allocated", fmt.Sprintf("%s (%d bytes), what a conversion reads", bytesText(d.Allocated), d.Allocated))
	}
	if d.DiskUsage > 0 {
		row("On disk", bytesText(d.DiskUsage))
	}
	if d.ClusterSize > 0 {
		row("Clusters", bytesText(d.ClusterSize))
	}
	if d.Compressed {
		row("Compressed", "yes")
	}
	for i, f := range d.Files {
		if i == maxFilesShown {
			row("", fmt.Sprintf("and %s more", count(len(d.Files)-i, "file", "files")))
			break
		}
		row(map[bool]string{true: "Files"}[i == 0], clean(f))
	}
	for _, m := range d.Disks {
		row(fmt.Sprintf("Disk %d", m.Number), memberText(m))
	}
	for i, l := range d.Chain {
		text := fmt.Sprintf("%d. %s %s", i+1, strings.TrimSpace(l.Format+" "+l.Variant), clean(strings.Join(l.Files, ", ")))
		if l.Parent != "" {
			text += ", on " + clean(l.Parent)
		}
		row(map[bool]string{true: "Chain"}[i == 0], text)
	}
	for _, n := range d.Notes {
		row("Note", n)
	}
	for i, l := range d.Chain {
		for _, n := range l.Notes {
			if i > 0 {
				row("Note", fmt.Sprintf("layer %d: %s", i+1, n))
			}
		}
	}
}

// maxFilesShown keeps a disk of many VMDK extents on one screen; JSON has them all.
const maxFilesShown = 40
