package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/machine/ova"
	"hyper2kvm/internal/machine/ovf"
	"hyper2kvm/internal/machine/vmx"
)

// describedBy reads what an OVA, OVF or VMX says of its VM, of several the first; nil for a file that is none of these by its
// name. Its disks need not be there.
func describedBy(path string) (*machine.Machine, error) {
	kind := strings.ToLower(filepath.Ext(path))
	if kind != ".ova" && kind != ".ovf" && kind != ".vmx" {
		return nil, nil // most files describe nothing
	}
	f, err := disk.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	whole := io.NewSectionReader(f, 0, f.Size())
	switch kind {
	case ".vmx":
		b, err := io.ReadAll(io.LimitReader(whole, vmx.MaxBytes+1)) // one byte more than is allowed, so that the check sees it
		if err != nil {
			return nil, err
		}
		return vmx.Parse(b)
	case ".ova":
		archive, err := ova.Open(f, f.Size())
		if err != nil {
			return nil, err
		}
		_, text, err := archive.OVF()
		if err != nil {
			return nil, err
		}
		return firstSystem(bytes.NewReader(text))
	}
	return firstSystem(whole)
}

func firstSystem(r io.Reader) (*machine.Machine, error) {
	pkg, err := ovf.Parse(r)
	if err != nil {
		return nil, err
	}
	if len(pkg.Systems) == 0 {
		return nil, fmt.Errorf("%w: it describes no VM", machine.ErrDescriptor)
	}
	return &pkg.Systems[0], nil
}
