package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/version"
	"hyper2kvm/tui/wizard"
)

// hostFiles tells the wizard what the files of this host are: what a job would find in them.
type hostFiles struct{}

// List lists a directory: folders first, by name.
func (hostFiles) List(ctx context.Context, dir string) ([]wizard.Entry, bool, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, false, err
	}
	defer d.Close()
	found, err := d.ReadDir(wizard.MaxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	more := len(found) > wizard.MaxEntries
	var out []wizard.Entry
	for _, f := range found[:min(len(found), wizard.MaxEntries)] {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		e := wizard.Entry{Name: f.Name()}
		st, err := os.Stat(filepath.Join(dir, e.Name)) // what a link leads to
		switch {
		case err != nil:
			e.Odd = true
		case st.IsDir():
			e.Dir = true
		case st.Mode().IsRegular():
			e.Bytes = st.Size()
		default:
			e.Odd = true
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b wizard.Entry) int {
		if a.Dir != b.Dir {
			if a.Dir {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name, b.Name)
	})
	return out, more, nil
}

// Probe reads headers, tables and descriptions as a dry run does, with the files beside the one that is asked about.
func (hostFiles) Probe(ctx context.Context, path string) (wizard.Facts, error) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return wizard.Facts{}, err
	case !st.Mode().IsRegular():
		return wizard.Facts{}, errors.New("neither a file nor a folder")
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return wizard.Facts{}, err
	}
	name := filepath.Base(real)
	beside, err := filesBeside(filepath.Dir(real), false)
	if err != nil {
		return wizard.Facts{}, err
	}
	beside[name] = real // of very many files, some are not among them
	job := manifest.FromFiles(name, name).Resolve(manifest.ProductDefaults())
	described, err := describedBy(real)
	if err != nil {
		return wizard.Facts{}, err
	}
	opened, facts, err := convert.Gather(ctx, convert.Request{JobID: job.Name, Job: job, Files: beside, Entry: name, Version: version.Get().Version})
	switch {
	case err == nil:
		opened.Close()
	case described == nil || ctx.Err() != nil:
		return wizard.Facts{}, err
	}
	out := sumUp(facts)
	if err != nil {
		out.Notes = append(out.Notes, err.Error()) // the job would fail, but what is described can be taken over
	}
	if described != nil {
		out.Kind, out.Detail = strings.ToLower(strings.TrimPrefix(filepath.Ext(name), ".")), ""
		describeInto(&out, described)
	}
	if opened != nil {
		for _, w := range opened.Warnings {
			out.Notes = append(out.Notes, w.Message)
		}
	}
	if out.Parts, err = convert.Companions(ctx, real); err != nil {
		out.Parts = nil // the disk itself was read
	}
	return out, nil
}

// sumUp puts what a job would find into a few words.
func sumUp(f convert.Facts) wizard.Facts {
	out := wizard.Facts{Disks: len(f.Disks)}
	for i, d := range f.Disks {
		out.Virtual += d.VirtualSize
		out.Allocated += d.Allocated
		if i == 0 {
			out.Kind, out.Detail, out.Chain = d.Format, d.Variant, d.Chain
			if d.Packed != "" {
				out.Detail = strings.TrimSpace(d.Variant + " packed with " + d.Packed)
			}
		}
	}
	return out
}

// describeInto adds what a description says of the VM.
func describeInto(out *wizard.Facts, m *machine.Machine) {
	out.Described, out.Name = true, m.Name
	out.Machine = manifest.Machine{CPUs: m.CPUs, MemoryMiB: m.MemoryMiB, Firmware: string(m.Firmware)}
	if m.SecureBoot {
		out.Machine.SecureBoot = &m.SecureBoot
	}
	for _, n := range m.NICs {
		out.Machine.NICs = append(out.Machine.NICs, manifest.NIC{ID: n.Name, MAC: n.MAC, Network: n.Network})
	}
}
