package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
func (c *console) pack(args []string) ([]parcel, error) {
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
	switch {
	case len(docs) == 1 && len(docs[0].drafts) > 1:
		// Each VM of a batch is a job of its own, so that the disks stand beside the batch, which comes first and claims them.
		out := []parcel{{doc: &docs[0]}}
		for _, d := range disks {
			out = append(out, parcel{paths: []string{d}, companion: true})
		}
		return out, nil
	case len(docs) == 1:
		return []parcel{{doc: &docs[0], paths: disks}}, nil
	case len(docs) > 1 && len(disks) > 0:
		return nil, &failure{exit: exitUsage, what: fmt.Sprintf("%d manifests and %s are given", len(docs), count(len(disks), "disk", "disks")),
			why: "nothing says which disk belongs to which manifest", try: "submit each manifest with its own disks"}
	}
	var out []parcel
	for i := range docs {
		out = append(out, parcel{doc: &docs[i]})
	}
	for _, d := range disks {
		out = append(out, parcel{paths: []string{d}})
	}
	return out, nil
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
