package convert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

func TestFailureCodes(t *testing.T) {
	diskErr := func(kind error) error {
		return fmt.Errorf("convert web.vmdk: %w", &disk.Error{Format: "vmdk", Op: "read", Off: 4096, Kind: kind})
	}
	path := func(err error) error { return &fs.PathError{Op: "open", Path: "/x", Err: err} }
	for _, tc := range []struct {
		err       error
		code      string
		retryable bool
	}{
		{context.Canceled, manifest.CodeJobCancelled, true},
		{fmt.Errorf("copy: %w", context.Canceled), manifest.CodeJobCancelled, true},
		{&outputError{context.Canceled}, manifest.CodeJobCancelled, true},
		{diskErr(disk.ErrFormat), manifest.CodeSourceUnknown, false},
		{diskErr(disk.ErrCorrupt), manifest.CodeImageCorrupt, false},
		{diskErr(disk.ErrTruncated), manifest.CodeSourceTruncated, true},
		{diskErr(disk.ErrUnsupported), manifest.CodeImageUnsupported, false},
		{diskErr(disk.ErrEncrypted), manifest.CodeImageEncrypted, false},
		{diskErr(disk.ErrMissing), manifest.CodeImageMissing, true},
		{diskErr(disk.ErrOutside), manifest.CodeImageOutside, false},
		{diskErr(disk.ErrLimit), manifest.CodeImageLimit, false},
		{diskErr(disk.ErrMismatch), manifest.CodeOutputProof, true},
		{&disk.Error{Op: "open", Off: -1, Kind: disk.ErrMissing, Err: syscall.ENOENT}, manifest.CodeImageMissing, true},
		{&disk.Error{Op: "read", Off: 0, Err: syscall.EIO}, manifest.CodeSourceRead, true},
		{machine.ErrChecksum, manifest.CodeMachineChecksum, true},
		{machine.ErrMember, manifest.CodeMachineMember, false},
		{machine.ErrMissing, manifest.CodeSourceMissing, true},
		{machine.ErrDescriptor, manifest.CodeMachineDescriptor, false},
		{fmt.Errorf("%w: %w", machine.ErrDescriptor, machine.ErrTruncated), manifest.CodeSourceTruncated, true},
		{machine.ErrUnsupported, manifest.CodeMachineDescriptor, false},
		{machine.ErrLimit, manifest.CodeMachineDescriptor, false},
		{path(syscall.ENOENT), manifest.CodeSourceMissing, true},
		{path(syscall.EACCES), manifest.CodeSourceUnreadable, true},
		{path(syscall.EIO), manifest.CodeSourceRead, true},
		{path(syscall.ENOSPC), manifest.CodeSpaceOutput, true},
		{&outputError{path(syscall.ENOSPC)}, manifest.CodeSpaceOutput, true},
		{fmt.Errorf("write content: %w", &disk.Error{Op: "write", Err: &outputError{path(syscall.EIO)}}), manifest.CodeOutputWrite, true},
		{&outputError{path(syscall.EACCES)}, manifest.CodeOutputWrite, true},
		{&outputError{path(syscall.EEXIST)}, manifest.CodeOutputExists, true},
		{errors.New("something else"), manifest.CodeJobInternal, true},
		{fmt.Errorf("outer: %w", coded(manifest.CodeImageChain, "", syscall.EIO)), manifest.CodeImageChain, false},
	} {
		f := Failure(StageConvert, tc.err)
		if f.Code != tc.code || f.Retryable != tc.retryable || f.Stage != StageConvert {
			t.Errorf("%v: got %s, retryable %v; want %s, %v", tc.err, f.Code, f.Retryable, tc.code, tc.retryable)
		}
	}
}

func TestFailureChain(t *testing.T) {
	err := fmt.Errorf("convert web.vmdk: %w", &disk.Error{Format: "vmdk", Op: "read grain", File: "web.vmdk", Off: 4096, Err: os.ErrPermission})
	f := Failure(StageConvert, err)
	if len(f.Chain) != 3 || f.Chain[0] != f.Message || f.Chain[2] != os.ErrPermission.Error() {
		t.Errorf("chain %q, message %q", f.Chain, f.Message)
	}
	hint := Failure("", coded(manifest.CodeImageLimit, "do this", errors.New("x")))
	if hint.Hint != "do this" {
		t.Errorf("hint %q", hint.Hint)
	}
}

// A name out of an image never reaches a terminal as it is.
func TestOneLine(t *testing.T) {
	if got := oneLine("a\nb\x1b[2J\u202e"); got != `a\nb\x1b[2J\u202e` {
		t.Errorf("got %q", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		got := oneLine(s)
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) && r != unicode.ReplacementChar }) {
			t.Fatalf("%q", got)
		}
		if oneLine(got) != got {
			t.Fatalf("not stable: %q", got)
		}
	})
}
