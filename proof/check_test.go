package proof_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// record is what is checked of a meta.json or error.json.
type record struct {
	path         string
	ID           string `json:"id"`
	OriginalName string `json:"original_name"`
	Kind         string `json:"kind"`
	OutputDir    string `json:"output_dir"`
}

// tree is what stands on the disks at one moment.
type tree struct {
	places  map[sum][]string // regular files of the state directories, by content
	records []record
}

// readTree looks at a workflow directory. A record that cannot be parsed is an error: nothing may ever see half of one.
func readTree(w string) (*tree, error) {
	t := &tree{places: map[sum][]string{}}
	for _, dir := range []string{"to_be_processed", "processing", "processed", "failed"} {
		found, err := filesBelow(filepath.Join(w, dir))
		if err != nil {
			return nil, err
		}
		for s, paths := range found {
			t.places[s] = append(t.places[s], paths...)
			for _, path := range paths {
				if !strings.HasSuffix(path, ".meta.json") && !strings.HasSuffix(path, ".error.json") {
					continue
				}
				b, err := os.ReadFile(path)
				if err != nil {
					return nil, err
				}
				r := record{path: path}
				if err := json.Unmarshal(b, &r); err != nil || r.ID == "" {
					return nil, fmt.Errorf("torn record %s: %q: %w", path, b, err)
				}
				t.records = append(t.records, r)
			}
		}
	}
	return t, nil
}

// where says where the files with this content are. Two names of one inode are one place: btrfs may keep both of a rename.
func (t *tree) where(s sum) []string {
	var places []string
	var inodes []uint64
	for _, path := range t.places[s] {
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && !slices.Contains(inodes, st.Ino) {
			inodes = append(inodes, st.Ino)
			places = append(places, path)
		}
	}
	return places
}

// checkCut holds what must be true when the file system has recovered and the daemon has not begun: acknowledged files are in exactly one
// place, every record is whole, and each meta.json has an output that verifies.
func (w *workload) checkCut(r *rig, marks []any) error {
	t, err := readTree(r.w())
	if err != nil {
		return err
	}
	var faults []error
	for s := range w.acknowledged(marks) {
		if at := t.where(s); len(at) != 1 {
			faults = append(faults, fmt.Errorf("a synced source of %s is in %d places: %v", w.nameOf(s), len(at), at))
		}
	}
	for _, rec := range t.records {
		faults = append(faults, w.checkOutput(rec, w.byName[rec.OriginalName]))
	}
	for _, m := range marks {
		if e, ok := m.(ended); ok && !t.hasRecord(w.nameOf(e.content)) {
			faults = append(faults, fmt.Errorf("%s was seen to have ended, and its record is gone", w.nameOf(e.content)))
		}
	}
	return errors.Join(faults...)
}

// acknowledged are the files that were synced before the cut.
func (w *workload) acknowledged(marks []any) map[sum]bool {
	found := map[sum]bool{}
	for _, m := range marks {
		if s, ok := m.(synced); ok {
			found[s.content] = true
		}
	}
	return found
}

func (w *workload) nameOf(s sum) string {
	for _, d := range w.drops {
		for _, f := range d.files {
			if contentOf(f) != s {
				continue
			}
			if len(d.parts) > 0 && f.format != "" {
				return f.name
			}
			return d.name
		}
	}
	return "?"
}

// hasRecord says whether the job of an entry has ended; a part of a batch is called like its disk.
func (t *tree) hasRecord(name string) bool {
	return slices.ContainsFunc(t.records, func(r record) bool { return stem(r.OriginalName) == stem(name) })
}

func stem(name string) string { return strings.TrimSuffix(name, filepath.Ext(name)) }

// checkOutput verifies what a meta.json promises: the report and an image that holds one of these sources.
func (w *workload) checkOutput(rec record, sources []sum) error {
	if rec.OutputDir == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(rec.OutputDir, "report.json"))
	if err != nil {
		return fmt.Errorf("output of %s: %w", rec.path, err)
	}
	if !json.Valid(b) {
		return fmt.Errorf("output of %s: torn report %q", rec.path, b)
	}
	domains, _ := filepath.Glob(filepath.Join(rec.OutputDir, "*.xml"))
	images, _ := filepath.Glob(filepath.Join(rec.OutputDir, "*.[qr][ca][ow]*"))
	if len(images) != 1 || len(domains) != 1 {
		return fmt.Errorf("output of %s: images %v, domains %v", rec.path, images, domains)
	}
	if b, err := os.ReadFile(domains[0]); err != nil || !strings.Contains(string(b), "</domain>") {
		return fmt.Errorf("output of %s: torn domain XML %q %w", rec.path, b, err)
	}
	digest, err := imageDigest(images[0])
	if err != nil {
		return fmt.Errorf("output of %s: %w", rec.path, err)
	}
	for s, want := range w.digests {
		if digest != want || len(sources) > 0 && !slices.Contains(sources, s) {
			continue
		}
		if ext := filepath.Ext(images[0]); ext != "."+w.formats[s] {
			return fmt.Errorf("output of %s is %s, its document wants %s", rec.path, ext, w.formats[s])
		}
		return nil
	}
	return fmt.Errorf("output of %s holds %v, which is no source of %q", rec.path, digest, rec.OriginalName)
}

// checkRecovered holds what must be true when the daemon has recovered and done all that it could.
func (w *workload) checkRecovered(r *rig, marks []any) error {
	t, err := readTree(r.w())
	if err != nil {
		return err
	}
	var faults []error
	known := w.acknowledged(marks)
	for s := range known {
		at := t.where(s)
		if len(t.places[s]) != 1 {
			faults = append(faults, fmt.Errorf("a synced source of %s is in %d places: %v", w.nameOf(s), len(at), t.places[s]))
			continue
		}
		whole := !slices.ContainsFunc(w.job[s], func(o sum) bool { return !known[o] })
		if rel, _ := filepath.Rel(r.w(), at[0]); whole && !strings.HasPrefix(rel, w.ends[s]+"/") {
			faults = append(faults, fmt.Errorf("%s is in %s, it should have ended in %s", w.nameOf(s), rel, w.ends[s]))
		}
	}
	faults = append(faults, w.checkRecords(r, t, known), leftovers(r))
	return errors.Join(faults...)
}

// checkRecords proves that each record has its source, each source its record, and each output its one meta.json.
func (w *workload) checkRecords(r *rig, t *tree, known map[sum]bool) error {
	var faults []error
	outputs := map[string]bool{}
	dirs, _ := filepath.Glob(filepath.Join(r.out(), "2*", "*"))
	for _, dir := range dirs {
		outputs[dir] = true
	}
	for _, rec := range t.records {
		entry := strings.TrimSuffix(strings.TrimSuffix(rec.path, ".meta.json"), ".error.json")
		below, err := filesBelow(entry)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s has no source: %w", rec.path, err))
			continue
		}
		if rec.OutputDir == "" {
			continue
		}
		if !outputs[rec.OutputDir] {
			faults = append(faults, fmt.Errorf("the output of %s is not there, or another's too", rec.path))
			continue
		}
		delete(outputs, rec.OutputDir)
		var sources []sum
		for s := range below {
			if _, isDisk := w.digests[s]; isDisk {
				sources = append(sources, s)
			}
		}
		// Half a file that a cut copy left is a raw disk too, and a job of its own; only sources that were synced are known.
		unknown := func(s sum) bool { return !known[s] }
		if len(sources) > 0 && !slices.ContainsFunc(w.job[sources[0]], unknown) {
			faults = append(faults, w.checkOutput(rec, sources))
		}
	}
	for dir := range outputs {
		faults = append(faults, fmt.Errorf("%s has no meta.json: it was made twice, or its job was lost", dir))
	}
	for _, entry := range ends(r.w()) {
		_, meta := os.Lstat(entry + ".meta.json")
		_, failed := os.Lstat(entry + ".error.json")
		if meta != nil && failed != nil && !strings.HasSuffix(entry, ".json") {
			faults = append(faults, fmt.Errorf("%s has no record", entry))
		}
	}
	return errors.Join(faults...)
}

// leftovers are things of a job that must not outlive it.
func leftovers(r *rig) error {
	var left []string
	for _, pattern := range []string{
		filepath.Join(r.w(), "processing", "*"), filepath.Join(r.w(), ".hyper2kvm", "jobs", "*"), filepath.Join(r.w(), ".hyper2kvm", "tmp", "*"),
		filepath.Join(r.out(), ".partial", "*"), filepath.Join(r.w(), "to_be_processed", ".hyper2kvm*"),
	} {
		found, _ := filepath.Glob(pattern)
		left = append(left, found...)
	}
	if len(left) > 0 {
		text := fmt.Sprintf("left behind: %v", left)
		for _, dir := range left {
			b, _ := os.ReadFile(filepath.Join(dir, "record.json"))
			text += "\n" + string(b)
		}
		return errors.New(text)
	}
	return nil
}
