package main

import (
	"context"
	"fmt"
	"path/filepath"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine"
)

// memberDoc is a disk of an OVA in JSON and YAML. Sizes are in bytes.
type memberDoc struct {
	Number      int    `json:"number"` // for image convert --disk
	ID          string `json:"id,omitempty"`
	File        string `json:"file,omitempty"` // none: the disk is created empty
	Format      string `json:"format,omitempty"`
	Variant     string `json:"variant,omitempty"`
	VirtualSize int64  `json:"virtual_size"`        // of the image, or what the description states
	Allocated   int64  `json:"allocated,omitempty"` // content that a conversion reads
	Stored      int64  `json:"stored,omitempty"`    // bytes in the archive
	Bus         string `json:"bus,omitempty"`
	Note        string `json:"note,omitempty"`
}

// lookInside tells of files that are no images but hold some: an OVA, and what is compressed as a whole. False: it is neither.
func lookInside(ctx context.Context, path string) (imageDoc, bool, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return imageDoc{}, false, imageFailure(path, err)
	}
	f, err := disk.OpenFile(real)
	if err != nil {
		return imageDoc{}, false, imageFailure(path, err)
	}
	defer f.Close()
	name := filepath.Base(path)
	d := imageDoc{File: path, Files: []string{name}, DiskUsage: diskUsage(path, []string{name})}
	if method, ok := packed.Detect(f); ok {
		d.Format, d.Compressed = method, true
		d.Notes = []string{fmt.Sprintf("%d bytes, compressed as a whole; hyperctl image convert unpacks what is inside, which is not known before", f.Size())}
		return d, true, nil
	}
	if !isArchive(f) {
		return imageDoc{}, false, nil
	}
	a, err := openAppliance(f)
	if err != nil {
		return imageDoc{}, true, imageFailure(path, err)
	}
	d.Format, d.Notes = "ova", a.archive.Warnings()
	for i, disk := range a.disks {
		m := a.describe(ctx, disk)
		m.Number = i + 1
		d.VirtualSize += m.VirtualSize
		d.Allocated += m.Allocated
		d.Disks = append(d.Disks, m)
	}
	return d, true, nil
}

// describe opens a disk of the archive and tells of it what is known without unpacking. What keeps it from being read is a note.
func (a *appliance) describe(ctx context.Context, d machine.Disk) memberDoc {
	m := memberDoc{ID: d.ID, File: d.File, VirtualSize: d.Capacity}
	if d.Bus != "" {
		m.Bus = fmt.Sprintf("%s %d:%d", d.Bus, d.Controller, d.Unit)
	}
	if d.Blank() {
		m.Note = "created empty"
		return m
	}
	f, err := a.diskFile(d)
	if err != nil {
		m.Note = err.Error()
		return m
	}
	m.Stored = f.Size()
	if method, ok := packed.Detect(f); ok {
		f.Close()
		m.Format, m.Note = method, "compressed as a whole"
		return m
	}
	img, err := formats.Open(ctx, f, formats.OpenOptions{Open: a.member})
	if err != nil {
		m.Note = err.Error()
		return m
	}
	defer img.Close()
	m.VirtualSize = img.Size()
	if layers := formats.Describe(img); len(layers) > 0 {
		m.Format, m.Variant = layers[0].Format, layers[0].Variant
	}
	if m.Allocated, err = disk.Allocated(ctx, img); err != nil {
		m.Note = err.Error()
	}
	return m
}

// memberText is a disk of an OVA in a line.
func memberText(m memberDoc) string {
	text := m.File
	if text == "" {
		text = m.ID
	}
	if m.Format != "" {
		text += ": " + m.Format
	}
	if m.Variant != "" {
		text += " " + m.Variant
	}
	text += ", " + bytesText(m.VirtualSize)
	if m.Stored > 0 {
		text += fmt.Sprintf(" (%s in the archive)", bytesText(m.Stored))
	}
	if m.Bus != "" {
		text += ", " + m.Bus
	}
	if m.Note != "" {
		text += "; " + m.Note
	}
	return text
}
