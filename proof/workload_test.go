package proof_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/proof/cutdisk"
)

// sum is the content of a file; every file of a workload has a content of its own.
type sum [sha256.Size]byte

// drop is one job of a workload: files that a user puts into the drop zone, in this order.
type drop struct {
	name  string   // of the entry, by which its record is found
	files []file   // a folder is one file after the other in it
	dir   bool     // the files are in a folder of this name, which is renamed in
	copy  bool     // written in the drop zone, else renamed into it
	bad   bool     // it ends in failed/
	parts []string // names of the jobs that it splits into
}

type file struct {
	name    string
	content []byte
	format  string // of a disk: what the job makes of it; "" for documents
}

// workload is a list of jobs with what must come out of them.
type workload struct {
	drops   []drop
	ends    map[sum]string      // by content of a file: "processed" or "failed", where it must end
	digests map[sum]disk.Digest // of disks: what a conversion must hold
	formats map[sum]string      // and its format, by which a job is known that ran without its document
	byName  map[string][]sum    // disks of the entries of a name
	job     map[sum][]sum       // all files that the job of this file needs
}

// bytesOf returns n bytes of which about half are zeroes, different for each seed.
func bytesOf(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for at := 0; at < n; at += 4096 {
		if r.IntN(2) == 0 || at == 0 {
			for i := at; i < min(at+4096, n); i++ {
				b[i] = byte(r.Uint32())
			}
		}
	}
	return b
}

// newWorkload makes one of every kind of job, in an order that depends on the seed.
func newWorkload(r *rand.Rand) (*workload, error) {
	into := func(name, format string) file { return file{name, bytesOf(r, (32+r.IntN(32))<<10), format} }
	raw := func(name string) file { return into(name, "qcow2") }
	text := func(name, format string, args ...any) file { // the comment makes each content its own
		return file{name, fmt.Appendf(nil, "# %x\n"+format, append([]any{r.Uint64()}, args...)...), ""}
	}
	drops := []drop{
		{name: "copied.raw", files: []file{raw("copied.raw")}, copy: true},
		{name: "moved.raw", files: []file{raw("moved.raw")}},
		{name: "twice.raw", files: []file{raw("twice.raw")}},
		{name: "twice.raw", files: []file{raw("twice.raw")}},
		{name: "web.yaml", files: []file{text("web.yaml", "input: webdisk.raw\noutput_format: raw\n"), into("webdisk.raw", "raw")}},
		{name: "pair.yaml", files: []file{text("pair.yaml", "input: pairdisk.raw\noutput_format: qcow2\n"), raw("pairdisk.raw")}, copy: true},
		{name: "folder", files: []file{raw("folder.raw")}, dir: true},
		{name: "bad.yaml", files: []file{text("bad.yaml", "input: [\n")}, bad: true},
		{name: "worse.yaml", files: []file{text("worse.yaml", "input: x.raw\nno_such_key: 1\n")}, bad: true},
		{name: "batch.yaml", files: []file{
			text("batch.yaml", "jobs:\n  - input: one.raw\n    output_format: qcow2\n  - input: two.raw\n    output_format: raw\n"),
			raw("one.raw"), into("two.raw", "raw"),
		}, parts: []string{"one", "two"}},
	}
	r.Shuffle(len(drops), func(i, j int) { drops[i], drops[j] = drops[j], drops[i] })
	w := &workload{drops: drops, ends: map[sum]string{}, digests: map[sum]disk.Digest{}, formats: map[sum]string{}, byName: map[string][]sum{}, job: map[sum][]sum{}}
	for _, d := range drops {
		var all []sum
		for _, f := range d.files {
			s := sum(sha256.Sum256(f.content))
			all = append(all, s)
			w.ends[s] = "processed"
			if d.bad {
				w.ends[s] = "failed"
			}
			if f.format != "" {
				w.formats[s] = f.format
				digest, err := digestOf(f.content)
				if err != nil {
					return nil, err
				}
				w.digests[s] = digest
				w.byName[d.name] = append(w.byName[d.name], s)
			}
		}
		for _, s := range all {
			w.job[s] = all
		}
	}
	return w, nil
}

func digestOf(content []byte) (disk.Digest, error) {
	tmp, err := os.CreateTemp("", "proof-*.raw")
	if err != nil {
		return disk.Digest{}, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.Write(content); err != nil {
		return disk.Digest{}, err
	}
	return imageDigest(tmp.Name())
}

func imageDigest(path string) (disk.Digest, error) {
	img, err := formats.OpenPath(context.Background(), path, formats.OpenOptions{})
	if err != nil {
		return disk.Digest{}, err
	}
	defer img.Close()
	return disk.DigestOf(context.Background(), img, disk.Options{Workers: 1})
}

// synced marks that a file's content and name are durable; ended, that a job's record and source were seen in a terminal directory.
type (
	synced struct{ content sum }
	ended  struct{ content sum }
)

// submit puts the files of a job into the drop zone as a careful user does, and marks what is durable.
//
// The old name is synced away too: without that btrfs may keep both, and a file with two names waits.
func (d drop) submit(zone, stage string, j *cutdisk.Journal) error {
	if d.dir {
		dir := filepath.Join(stage, d.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		for _, f := range d.files {
			if err := writeSynced(filepath.Join(dir, f.name), f.content); err != nil {
				return err
			}
		}
		if err := syncPaths(dir, stage); err != nil {
			return err
		}
		if err := renameSynced(dir, filepath.Join(zone, d.name)); err != nil {
			return err
		}
		if err := syncPaths(zone, stage); err != nil {
			return err
		}
		for _, f := range d.files {
			j.Mark(synced{sha256.Sum256(f.content)})
		}
		return nil
	}
	for _, f := range d.files {
		at := filepath.Join(zone, f.name)
		if !d.copy {
			at = filepath.Join(stage, f.name)
		}
		if err := writeSynced(at, f.content); err != nil {
			return err
		}
		if !d.copy {
			if err := freeName(filepath.Join(zone, f.name)); err != nil {
				return err
			}
			if err := renameSynced(at, filepath.Join(zone, f.name)); err != nil {
				return err
			}
		}
		if err := syncPaths(zone, stage); err != nil {
			return err
		}
		j.Mark(synced{sha256.Sum256(f.content)})
	}
	return nil
}

// renameSynced renames a file or folder and syncs all that the file system has. Syncing the inode and both directories would do, but for
// btrfs, which may keep the old name when the daemon moves the entry on meanwhile; the entry waits then, as one with two names does.
func renameSynced(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return unix.Syncfs(int(f.Fd()))
}

// freeName waits until nothing has the name: a user who moves a file over another loses that one himself.
func freeName(path string) error {
	for range 4000 {
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fmt.Errorf("%s stays in the drop zone", path)
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

func syncPaths(paths ...string) error {
	for _, path := range paths {
		d, err := os.Open(path)
		if err != nil {
			return err
		}
		err = d.Sync()
		d.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// ends are the entries and records of the terminal directories.
func ends(root string) []string {
	done, _ := filepath.Glob(filepath.Join(root, "processed", "*", "*"))
	failed, _ := filepath.Glob(filepath.Join(root, "failed", "*", "*"))
	return append(done, failed...)
}

// watchEnds marks each job whose source is seen in a terminal directory, until stop is closed or all have ended. It says how many are
// left.
func (w *workload) watchEnds(root string, j *cutdisk.Journal, stop <-chan struct{}) (left int, err error) {
	seen := map[string]bool{}
	done := map[sum]bool{}
	for {
		for _, path := range ends(root) {
			if seen[path] || strings.HasSuffix(path, ".json") {
				continue
			}
			seen[path] = true
			contents, err := filesBelow(path)
			if err != nil {
				return 0, err
			}
			for s := range contents {
				if w.ends[s] != "" {
					done[s] = true
					j.Mark(ended{s})
				}
			}
		}
		if len(done) == len(w.ends) {
			return 0, nil
		}
		select {
		case <-stop:
			return len(w.ends) - len(done), nil
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// filesBelow are the regular files at or below a path, by content.
func filesBelow(path string) (map[sum][]string, error) {
	found := map[sum][]string{}
	err := filepath.WalkDir(path, func(at string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		s := sum(sha256.Sum256(b))
		found[s] = append(found[s], at)
		return nil
	})
	return found, err
}
