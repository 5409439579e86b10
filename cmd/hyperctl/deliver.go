package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"hyper2kvm/internal/queue"
)

// eventSubmitted is the type of the first event of a job.
const eventSubmitted = "submitted"

// deliver copies a parcel into the drop zone, where it appears complete and at once.
func (c *console) deliver(ctx context.Context, sp *queue.Spool, p parcel, o queue.SubmitOptions) (submitted, error) {
	entry := p.entryName(o.Name, c.now())
	var sources []queue.Source
	if p.doc != nil {
		doc := queue.Source{Name: entry, Content: bytes.NewReader(p.doc.content)}
		if len(p.paths) > 0 { // in a folder, the manifest keeps the name that it has
			doc.Name = "manifest" + p.doc.extension()
			if p.doc.path != "-" {
				doc.Name = filepath.Base(p.doc.path)
			}
		}
		sources = append(sources, doc)
	}
	for _, path := range p.paths {
		abs, err := filepath.Abs(path)
		if err != nil {
			return submitted{}, err
		}
		src := queue.Source{Path: abs}
		if len(p.paths) == 1 && p.doc == nil && !isDir(abs) {
			src.Name = entry
		}
		sources = append(sources, src)
	}
	m := c.newMeter("copy")
	defer m.done()
	o.Name, o.Progress = entry, m.update
	if p.companion {
		o.Priority = 0 // it runs with the job that names it
	}
	ref, err := sp.Submit(ctx, sources, o)
	if pe, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, fs.ErrPermission) {
		f := &failure{exit: exitDenied, what: "this user may not read " + pe.Path, try: "use sudo, or ask the owner for access", err: err}
		if strings.HasPrefix(pe.Path, sp.Dir()+"/") {
			f.what, f.try = "this user may not write to "+filepath.Join(sp.Dir(), queue.DirQueued), joinLine(sp.Dir())
		}
		return submitted{}, f
	}
	return submitted{Time: c.now(), Type: eventSubmitted, Name: ref.Name, Path: filepath.Join(sp.Dir(), queue.DirQueued, ref.Name), From: p.name(), ref: ref}, err
}
