package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
)

// parcel is one entry that goes into the drop zone: a manifest, a file, a folder, or a manifest with its disks.
type parcel struct {
	doc   *document // nil without a manifest
	paths []string  // files and folders that are copied

	companion bool // it belongs to a batch that is submitted with it, and is no job of its own
}

// name is the name that the parcel has in messages.
func (p parcel) name() string {
	if p.doc != nil {
		return p.doc.name
	}
	return p.paths[0]
}

// pack sorts what stands on the command line into parcels. One manifest takes everything else with it; several stand for
// themselves, as disks without a manifest do.
// Whatever a disk or descriptor is made of goes along.
func (c *console) pack(ctx context.Context, args []string) ([]parcel, error) {
	var docs []document
	var disks []string
	for _, path := range args {
		if isManifest(path) {
			d, err := c.readManifest(path)
			if err != nil {
				return nil, err
			}
			docs = append(docs, d)
			continue
		}
		st, err := os.Stat(path)
		if err != nil {
			return nil, readFailure(path, err)
		}
		if !st.IsDir() && !st.Mode().IsRegular() {
			return nil, &failure{exit: exitError, code: manifest.CodeSourceNotRegular, what: path + " is neither a file nor a folder"}
		}
		disks = append(disks, path)
	}
	whole, err := withCompanions(ctx, disks)
	if err != nil {
		return nil, err
	}
	switch {
	case len(docs) == 1 && len(docs[0].drafts) > 1:
		// Each VM of a batch is a job of its own, so that the disks stand beside the batch, which comes first and claims them.
		out := []parcel{{doc: &docs[0]}}
		for _, d := range slices.Concat(whole...) {
			out = append(out, parcel{paths: []string{d}, companion: true})
		}
		return out, nil
	case len(docs) == 1:
		return []parcel{{doc: &docs[0], paths: slices.Concat(whole...)}}, nil
	case len(docs) > 1 && len(disks) > 0:
		return nil, &failure{exit: exitUsage, what: fmt.Sprintf("%d manifests and %s are given", len(docs), count(len(disks), "disk", "disks")),
			why: "nothing says which disk belongs to which manifest", try: "submit each manifest with its own disks"}
	}
	var out []parcel
	for i := range docs {
		out = append(out, parcel{doc: &docs[i]})
	}
	for _, w := range whole {
		out = append(out, parcel{paths: w})
	}
	return out, nil
}

// withCompanions adds to each file what it is made of: the extents of a descriptor, the parents of a snapshot, the disks of an OVF or
// VMX. A file that another one brings along is not given twice. What cannot be read is left to the job, which says why.
func withCompanions(ctx context.Context, paths []string) ([][]string, error) {
	var whole [][]string
	brought := map[string]bool{}
	for _, path := range paths {
		group := []string{path}
		if !isDir(path) {
			names, _ := convert.Companions(ctx, path)
			for _, name := range names {
				beside := filepath.Join(filepath.Dir(path), filepath.FromSlash(name))
				if _, err := os.Lstat(beside); err != nil {
					return nil, &failure{exit: exitNotFound, code: manifest.CodeImageMissing, what: path + " needs " + clean(name) + ", which is not beside it",
						try: "put it beside " + quoteArg(path) + ", then submit again"}
				}
				group = append(group, beside)
				brought[beside] = true
			}
		}
		whole = append(whole, group)
	}
	return slices.DeleteFunc(whole, func(group []string) bool { return brought[filepath.Clean(group[0])] }), nil
}

// documents are the manifests among parcels.
func documents(parcels []parcel) []document {
	var docs []document
	for _, p := range parcels {
		if p.doc != nil {
			docs = append(docs, *p.doc)
		}
	}
	return docs
}

// absent lists the plain names in the manifest that were not given with it: the job waits for them in the drop zone.
func (p parcel) absent() []string {
	if p.doc == nil {
		return nil
	}
	given := map[string]bool{}
	for _, path := range p.paths {
		given[filepath.Base(path)] = true
	}
	var out []string
	for _, d := range p.doc.drafts {
		for _, in := range d.Inputs() {
			top, _, _ := strings.Cut(in, "/")
			if !filepath.IsAbs(in) && !given[in] && !given[top] {
				out = append(out, in)
			}
		}
	}
	return out
}

// maxBeside bounds how many files of a folder a dry run knows by name.
const maxBeside = 10_000

// filesBeside lists the regular files below dir by their slash-separated relative names.
func filesBeside(dir string, deep bool) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && path != dir && !deep {
			return fs.SkipDir
		}
		if !e.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(rel)] = path
		if len(files) >= maxBeside {
			return fs.SkipAll
		}
		return nil
	})
	return files, err
}
