package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/manifest"
)

// convertOptions say what `image convert` writes.
type convertOptions struct {
	source, target string
	sourceFormat   string
	format         string
	subformat      string
	disk           int // number of a disk in an OVA, from 1 on; 0 is the only one
	compress       bool
	compression    string
	level          int
	verify         bool
}

func newImageConvert(con *console) *cobra.Command {
	var o convertOptions
	cmd := &cobra.Command{
		Use:   "convert SRC DST",
		Short: "Convert one image, its whole chain included, without a queue and without touching the guest",
		Long: `Convert one image, its whole chain included, without a queue and without touching the guest.

A source may be an OVA: a disk is read where it stands in the archive, and when there are several, --disk chooses. One that is compressed as a whole (gzip, xz, zstd, bzip2) is unpacked first, into DST's directory and without a name; what it
unpacks to is gone when the command ends. The source is never written and DST is never overwritten: it appears under its name when it is complete. Without
--output-format the extension of DST decides, and qcow2 where it says nothing. The guest is not repaired: for a VM that has to
boot on KVM use hyperctl manifest submit.`,
		Example: `  hyperctl image convert web01.vmdk web01.qcow2 --verify
  hyperctl image convert web01.vhdx web01.qcow2 --compress --compression zstd --level 3
  hyperctl image convert web01.img.xz web01.qcow2
  hyperctl image convert web01.ova data.qcow2 --disk 2
  hyperctl image convert web01.qcow2 web01.vhd --subformat fixed`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.source, o.target = args[0], args[1]
			if cmd.Flags().Changed("disk") && o.disk < 1 {
				return usagef("--disk %d: disks are numbered from 1 on", o.disk)
			}
			o.compress = o.compress || cmd.Flags().Changed("compression") || cmd.Flags().Changed("level")
			return runImageConvert(cmd.Context(), con, o)
		},
	}
	f := cmd.Flags()
	f.Var(enum{&o.format, writable()}, "output-format", "format of DST")
	f.Var(enum{&o.subformat, subformats()}, "subformat", "kind of a vmdk (streamOptimized unless given) or vhd (dynamic unless given)")
	f.IntVar(&o.disk, "disk", 0, "convert the disk with this `number` of an OVA, as hyperctl image info lists them")
	f.BoolVar(&o.compress, "compress", false, "compress the content (qcow2)")
	o.compression = manifest.CompressionZlib
	f.Var(enum{&o.compression, []string{manifest.CompressionZlib, manifest.CompressionZstd}}, "compression", "how to compress; implies --compress")
	f.IntVar(&o.level, "level", 0, "how hard to compress, a `number` from 1 to 9 for zlib and to 19 for zstd; implies --compress")
	f.BoolVar(&o.verify, "verify", false, "read DST back and prove that it holds what SRC holds")
	sourceFormat(cmd, &o.sourceFormat)
	complete(cmd, "output-format", writable())
	complete(cmd, "subformat", subformats())
	return cmd
}

// writable are the names of the formats that can be written.
func writable() []string {
	var names []string
	for _, f := range formats.Formats() {
		if f.Write {
			names = append(names, f.Name)
		}
	}
	return names
}

// subformats are the names of all kinds of images that can be written.
func subformats() []string {
	var names []string
	for _, f := range formats.Formats() {
		names = append(names, f.Subformats...)
	}
	return names
}

// settle fills what follows from the rest, and refuses what does not fit together.
func (o *convertOptions) settle() error {
	if o.format == "" {
		o.format = formatOf(o.target)
	}
	var target formats.Format
	for _, f := range formats.Formats() {
		if f.Name == o.format && f.Write {
			target = f
		}
	}
	top := map[string]int{manifest.CompressionZlib: 9, manifest.CompressionZstd: 19}[o.compression]
	switch {
	case target.Name == "":
		return &failure{exit: exitUsage, what: fmt.Sprintf("format %s is not written", o.format),
			why: "these are: " + strings.Join(writable(), ", "), try: "give --output-format"}
	case o.subformat != "" && len(target.Subformats) == 0:
		return usagef("format %s has no subformats", o.format)
	case o.subformat != "" && !slices.Contains(target.Subformats, o.subformat):
		return usagef("format %s has no subformat %s; it has %s", o.format, o.subformat, strings.Join(target.Subformats, " and "))
	case !o.compress:
		o.compression, o.level = "", 0
	case !slices.Contains(target.Compression, o.compression):
		return usagef("format %s has no compression %s", target.Name, o.compression)
	case o.level < 0 || o.level > top:
		return usagef("--level %d: must be 1 to %d for %s", o.level, top, o.compression)
	}
	return nil
}

// formatOf is the format that an extension stands for.
func formatOf(path string) string {
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	for _, f := range formats.Formats() {
		if ext != "" && slices.Contains(f.Extensions, ext) {
			return f.Name
		}
	}
	return manifest.FormatQcow2
}

// convertDoc is the result of a conversion in JSON and YAML. Sizes are in bytes.
type convertDoc struct {
	Source      string  `json:"source"`
	Output      string  `json:"output"`
	Format      string  `json:"format"`
	VirtualSize int64   `json:"virtual_size"`
	ReadBytes   int64   `json:"read_bytes"`
	OutputBytes int64   `json:"output_bytes"`
	Seconds     float64 `json:"seconds"`
	Digest      string  `json:"content_digest,omitempty"`
	Verified    bool    `json:"verified"`
}

func runImageConvert(ctx context.Context, con *console, o convertOptions) error {
	if err := o.settle(); err != nil {
		return err
	}
	if _, err := os.Lstat(o.target); err == nil {
		return targetExists(o.target, nil)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return outputFailure(o.target, err)
	}
	start := con.now()
	img, err := o.open(ctx, con)
	if err != nil {
		return err
	}
	defer img.Close()
	if layers := formats.Describe(img); len(layers) > 0 {
		for _, n := range layers[0].Notes {
			con.note("%s: %s", o.source, n)
		}
	}
	doc, err := o.convert(ctx, con, img)
	if err != nil {
		return err
	}
	doc.Seconds = con.now().Sub(start).Round(time.Millisecond).Seconds()
	return con.printOne(doc, doc.Output, func(w io.Writer) {
		if con.opts.quiet {
			return
		}
		fmt.Fprintf(w, "%s: %s, %s of %s content in %s", clean(doc.Output), doc.Format, bytesText(doc.OutputBytes), bytesText(doc.VirtualSize),
			tookText(con.now().Sub(start)))
		if doc.Verified {
			fmt.Fprintf(w, ", verified, content digest %s", doc.Digest)
		}
		fmt.Fprintln(w)
	})
}

func targetExists(path string, err error) error {
	return &failure{exit: exitConflict, code: manifest.CodeOutputExists, what: path + " exists already",
		why: "nothing is ever overwritten", try: "choose another name, or move it away", err: err}
}

// convert writes img beside the target, proves it, and gives it its name.
func (o convertOptions) convert(ctx context.Context, con *console, img disk.Image) (doc convertDoc, err error) {
	f, err := atomicfile.NewDraft(filepath.Dir(o.target), ".hyperctl-", 0o666) // the umask decides, as for every file a user makes
	if err != nil {
		return doc, outputFailure(o.target, err)
	}
	defer func() {
		if cerr := f.Close(); cerr != nil {
			con.note("the unfinished output: %s", cerr)
		}
	}()
	w, err := formats.Create(o.format, f.File, img.Size(), formats.CreateOptions{Compression: o.compression, Level: o.level, Subformat: o.subformat})
	if err != nil {
		return doc, outputFailure(o.target, err)
	}
	copied, err := o.copy(ctx, con, w, img)
	if err != nil {
		return doc, err
	}
	doc = convertDoc{Source: o.source, Output: o.target, Format: o.format, VirtualSize: img.Size(), ReadBytes: copied.DataBytes}
	if o.verify {
		if err = o.prove(ctx, con, f, img.Size(), copied.Digest); err != nil {
			return doc, err
		}
		doc.Verified, doc.Digest = true, copied.Digest.String()
	}
	st, err := f.Stat()
	if err != nil {
		return doc, err
	}
	doc.OutputBytes = st.Size()
	if err = f.Publish(o.target); errors.Is(err, fs.ErrExist) {
		err = targetExists(o.target, err)
	}
	return doc, err
}

func (o convertOptions) copy(ctx context.Context, con *console, w disk.Writer, img disk.Image) (disk.Result, error) {
	p := con.newMeter("convert")
	defer p.done()
	res, err := disk.Copy(ctx, w, img, disk.Options{Digest: o.verify, Progress: p.update})
	if err != nil {
		return res, convertFailure(o, err)
	}
	return res, nil
}

// prove reads the output back and holds its content against the source's, which has size bytes. A format that counts in sectors may have
// made it up to 511 bytes longer.
func (o convertOptions) prove(ctx context.Context, con *console, draft *atomicfile.Draft, size int64, want disk.Digest) error {
	img, err := o.reopen(ctx, draft)
	if err != nil {
		return &failure{exit: exitError, code: manifest.CodeOutputProof, what: "the output cannot be opened again", why: err.Error(), err: err}
	}
	defer img.Close()
	p := con.newMeter("verify")
	defer p.done()
	got, err := disk.DigestOf(ctx, disk.Resize(img, size), disk.Options{Progress: p.update})
	switch {
	case err != nil:
		return convertFailure(o, err)
	case img.Size() < size || img.Size()-size >= disk.SectorSize:
		return &failure{exit: exitError, code: manifest.CodeOutputProof, what: "the output does not hold what the source holds",
			why: fmt.Sprintf("it has %d bytes, the source %d; the output was removed", img.Size(), size)}
	case got != want:
		return &failure{exit: exitError, code: manifest.CodeOutputProof, what: "the output does not hold what the source holds",
			why: fmt.Sprintf("its content digest is %s, the source's %s; the output was removed", got, want)}
	}
	return nil
}

// reopen opens the output as an image.
func (o convertOptions) reopen(ctx context.Context, draft *atomicfile.Draft) (disk.Image, error) {
	f, err := draft.Reopen()
	if err != nil {
		return nil, err
	}
	host, err := disk.TakeFile(f, filepath.Base(o.target))
	if err != nil {
		return nil, err
	}
	return formats.Open(ctx, host, formats.OpenOptions{Format: o.format})
}

// convertFailure says what was being converted.
func convertFailure(o convertOptions, err error) error {
	err = stoppedFailure(fmt.Sprintf("converting %s to %s", o.source, o.target), err)
	if f, ok := errors.AsType[*failure](err); ok {
		f.fullOutput()
	}
	return err
}

// fullOutput gives a failure the code for a file system that is full, if it is that.
func (f *failure) fullOutput() {
	if errors.Is(f.err, syscall.ENOSPC) || errors.Is(f.err, syscall.EDQUOT) {
		f.code, f.try = manifest.CodeSpaceOutput, "free some space, or write the target to a larger file system"
	}
}

// outputFailure is an error in making the output.
func outputFailure(path string, err error) error {
	f := *explainError(err)
	f.what, f.why, f.err = "cannot write "+path, err.Error(), err
	f.fullOutput()
	if errors.Is(err, fs.ErrNotExist) {
		f.try = "mkdir -p " + quoteArg(filepath.Dir(path))
	}
	return &f
}
