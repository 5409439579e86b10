package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/manifest"
)

// generateOptions say what to describe and where to write it.
type generateOptions struct {
	sources []string
	outDir  string
	file    string
	set     map[string]string
	tags    map[string]string
	name    string
	oneVM   bool
	format  string
}

func newGenerate(con *console) *cobra.Command {
	var o generateOptions
	cmd := &cobra.Command{
		Use:   "generate VM... [OUTDIR]",
		Short: "Write a manifest for disks, OVAs, OVFs or VMXs",
		Long: `Write a manifest for disks, OVAs, OVFs or VMXs: with one of them for one VM, with several a batch of a VM each, or of one VM
with several disks (--one-vm). OUTDIR is the directory that the daemon is to put the result into; without it the daemon
decides. The last argument is OUTDIR unless it ends like an image or a package.

The manifest is printed, or written to the file that -f names, which must not exist yet. It is YAML; it is JSON with -o json,
or when the file ends in .json. A plain file name stays as it is and means the file beside the manifest; every other path is
written as an absolute one.`,
		Example: `  hyperctl manifest generate /path/to/vm.vmdk /output/dir
  hyperctl manifest generate web01.vmdk -f web01.yaml --set pipeline.convert.output_format=raw
  hyperctl manifest generate disk1.vmdk disk2.vmdk --one-vm --name web01 -o json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.takeArgs(args)
			return runGenerate(con, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "write to this `file`, which must not exist")
	f.StringVar(&o.outDir, "output-dir", "", "the `directory` OUTDIR")
	f.StringToStringVar(&o.set, "set", nil, "set a `key=value`, as in pipeline.convert.compress=false")
	f.StringToStringVar(&o.tags, "label", nil, "give the job a label `name=value`, which the report carries")
	for _, name := range []string{"set", "label"} {
		f.Lookup(name).DefValue = "" // help would print the empty list as a default
	}
	f.StringVar(&o.name, "name", "", "`name` of the VM")
	f.BoolVar(&o.oneVM, "one-vm", false, "all disks belong to one VM")
	f.Var(enum{&o.format, []string{manifest.FormatQcow2, manifest.FormatRaw, manifest.FormatVMDK, manifest.FormatVDI}}, "output-format", "format of the result")
	return cmd
}

// takeArgs tells the output directory from the sources.
func (o *generateOptions) takeArgs(args []string) {
	if n := len(args) - 1; n > 0 && o.outDir == "" && !isSource(args[n]) {
		args, o.outDir = args[:n], args[n]
	}
	o.sources = args
}

// isSource tells by its name whether a path is something to convert.
func isSource(path string) bool {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return false
	}
	ext := strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))
	if slices.Contains([]string{"ova", "ovf", "vmx", "ami", "vhd", "vhdx", "vdi"}, ext) {
		return true
	}
	for _, f := range formats.Formats() {
		if f.Read && ext != "" && slices.Contains(f.Extensions, ext) {
			return true
		}
	}
	return false
}

func runGenerate(con *console, o generateOptions) error {
	var paths []string
	for _, path := range o.sources {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			con.note("%s does not exist here", path)
		}
		if filepath.Base(path) != path {
			var err error
			if path, err = filepath.Abs(path); err != nil {
				return err
			}
		}
		paths = append(paths, path)
	}
	if o.outDir != "" {
		var err error
		if o.outDir, err = filepath.Abs(o.outDir); err != nil {
			return err
		}
	}
	asJSON := con.opts.output == outJSON || con.opts.output == outJSONL || strings.EqualFold(filepath.Ext(o.file), ".json")
	b, err := manifest.Generate(paths, manifest.GenerateOptions{
		JSON: asJSON, Name: o.name, OneVM: o.oneVM, OutputDir: o.outDir, Format: o.format, Set: o.set, Tags: o.tags,
	})
	switch {
	case errors.Is(err, manifest.ErrSources):
		return &failure{exit: exitUsage, what: "this cannot be described", why: err.Error(), try: "hyperctl manifest generate --help", err: err}
	case errors.Is(err, manifest.ErrInvalid):
		return &failure{exit: exitManifest, what: "the manifest would not be valid", why: err.Error(), try: "hyperctl manifest generate --help", err: err}
	case err != nil:
		return err
	}
	if con.opts.output == outJSONL && o.file == "" {
		var line bytes.Buffer
		if err := json.Compact(&line, b); err != nil {
			return err
		}
		b = append(line.Bytes(), '\n')
	}
	if o.file == "" {
		_, err := con.out.Write(b)
		return err
	}
	if err := atomicfile.Publish(filepath.Dir(o.file), filepath.Base(o.file), b, filepath.Dir(o.file), 0o644); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return targetExists(o.file, err)
		}
		return outputFailure(o.file, err)
	}
	if con.opts.output.machine() {
		return nil
	}
	return con.printOne(o.file, o.file, func(w io.Writer) {
		if !con.opts.quiet {
			fmt.Fprintf(w, "%s: written. Next: %s\n", clean(o.file), clean(submitLine(o.file, b, "."))) // plain names are of files here
		}
	})
}
