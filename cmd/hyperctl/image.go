package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

func newImage(con *console) *cobra.Command {
	return newGroup("image", "Look at, check, convert and compare disk images without a queue",
		prints(newImageInfo(con), imageDoc{}), prints(newImageCheck(con), checkDoc{}), prints(newImageMap(con), extentDoc{}),
		prints(newImageConvert(con), convertDoc{}), prints(newImageCompare(con), differenceDoc{}))
}

// openImage opens an image that the user named. A link that the user names is followed, those that an image names are not.
func openImage(ctx context.Context, path, format string) (disk.Image, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, imageFailure(path, err)
	}
	if err := isDescription(path, format); err != nil {
		return nil, err
	}
	img, err := formats.OpenPath(ctx, real, formats.OpenOptions{Format: format})
	if err != nil {
		return nil, imageFailure(path, err)
	}
	return img, nil
}

// isDescription is the error for a file that describes a VM, which would be taken for a very small raw disk; nil if it is none, or its format
// was stated.
func isDescription(path, format string) error {
	if ext := strings.ToLower(filepath.Ext(path)); format != "" || ext != ".ovf" && ext != ".vmx" {
		return nil
	}
	return imageFailure(path, &disk.Error{Op: "open", File: filepath.Base(path), Off: -1, Kind: disk.ErrFormat, Detail: "it describes a VM and holds no disk"})
}

// imageCodes maps the kinds of errors of the engine to the codes that explain knows.
var imageCodes = []struct {
	kind error
	code string
}{
	{disk.ErrTruncated, manifest.CodeSourceTruncated},
	{disk.ErrEncrypted, manifest.CodeImageEncrypted},
	{disk.ErrCorrupt, manifest.CodeImageCorrupt},
	{disk.ErrUnsupported, manifest.CodeImageUnsupported},
	{disk.ErrOutside, manifest.CodeImageOutside},
	{disk.ErrMissing, manifest.CodeImageMissing},
	{disk.ErrLimit, manifest.CodeImageLimit},
	{disk.ErrFormat, manifest.CodeSourceMismatch},
	{machine.ErrTruncated, manifest.CodeSourceTruncated},
	{machine.ErrDescriptor, manifest.CodeMachineDescriptor},
}

// imageFailure says which image an error is about, and what can be done.
func imageFailure(path string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f := *explainError(err)
	f.what, f.why, f.err = "cannot read "+path, err.Error(), err
	if _, gone := os.Stat(path); errors.Is(gone, fs.ErrNotExist) {
		f.exit, f.why, f.try = exitNotFound, "there is no such file", "ls -l "+quoteArg(filepath.Dir(path))
		return &f
	}
	f.code = cmp.Or(imageCode(err), f.code)
	var at *disk.Error
	switch {
	case f.code == manifest.CodeImageMissing:
		f.try = "put the missing file beside " + quoteArg(filepath.Base(path)) + ", under the name that the image gives"
	case errors.As(err, &at) && f.code == manifest.CodeImageUnsupported && packed.IsMethod(at.Format):
		f.try = "hyperctl image convert " + quoteArg(path) + " DISK.qcow2: it unpacks the file and converts what is in it"
	}
	if ext := strings.ToLower(filepath.Ext(path)); ext == ".ovf" || ext == ".vmx" || ext == ".ova" && f.code == manifest.CodeImageUnsupported {
		f.try = "hyperctl manifest submit " + quoteArg(path) + " --wait: this describes a whole VM, and the daemon converts it with all its disks"
	}
	return &f
}

// stoppedFailure says what an error in one of several images put an end to; which of them it is, the error says.
func stoppedFailure(doing string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f := *explainError(err)
	f.code, f.what, f.why, f.err = cmp.Or(imageCode(err), f.code), doing+" stopped", err.Error(), err
	return &f
}

// imageCode is the code for an error of the engine, or "".
func imageCode(err error) string {
	for _, c := range imageCodes {
		if errors.Is(err, c.kind) {
			return c.code
		}
	}
	return ""
}

// readable are the names of the formats that can be read, for --source-format.
func readable() []string {
	var names []string
	for _, f := range formats.Formats() {
		if f.Read {
			names = append(names, f.Name)
		}
	}
	return names
}

// sourceFormat adds --source-format to a command.
func sourceFormat(cmd *cobra.Command, value *string) {
	names := readable()
	cmd.Flags().Var(enum{value, names}, "source-format", "take the source for this format; without it the content decides")
	complete(cmd, "source-format", names)
}
