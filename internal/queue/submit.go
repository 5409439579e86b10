package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
)

// Source is one file or folder to submit.
type Source struct {
	Name    string    // in the drop zone; "" = the last part of Path
	Path    string    // what to copy: a regular file or a folder
	Content io.Reader // instead of Path: a document
}

// SubmitOptions are what a client decides about a submission.
type SubmitOptions struct {
	Name     string                  // of a job of several files, without .job; "" = stem of the first source
	Progress func(done, total int64) // bytes; total is 0 while it is not known
	Priority int                     // PriorityLast to PriorityFirst; 0 = PriorityNormal
	Via      string                  // ViaCLI or ViaAPI, for the daemon's counting; "" = ViaCLI
}

// Submitted knows an entry of the drop zone by device and inode, whatever it is renamed to.
type Submitted struct {
	Name string `json:"name"`
	Dev  uint64 `json:"dev"`
	Ino  uint64 `json:"ino"`
}

// backdate is how old what a client made is said to be: the daemon sees a rename that is younger than the content and knows that
// the entry is complete.
const backdate = time.Minute

// modeSubmit lets the daemon, by its group, move a folder that a user owns: a rename to another directory needs that.
const modeSubmit = 0o770 | fs.ModeSetgid

// copyStep is how much is copied between two looks at the context.
const copyStep = 16 << 20

// Submit copies files into the drop zone as one job that appears at once and complete: one file as it is, several files or a
// folder as <name>.job/. Nothing is left behind on errors. Taken names get ~2. The sources stay.
// A priority is the daemon's to give: it is asked first, and when it does not run, the request waits for it.
func (s *Spool) Submit(ctx context.Context, files []Source, o SubmitOptions) (Submitted, error) {
	files = slices.Clone(files) // plan fills in the names
	c := &copier{ctx: ctx, fs: s.fs, progress: o.Progress}
	name, single, err := c.plan(files, o.Name)
	if err != nil {
		return Submitted{}, err
	}
	tmp := s.path(DirQueued, submitPrefix+rand.Text())
	defer c.release()
	id, err := c.build(tmp, files, single)
	undo := func() {}
	if err == nil {
		setVia(tmp, cmp.Or(o.Via, ViaCLI))
	}
	if err == nil && orNormal(o.Priority) != PriorityNormal {
		undo, err = s.askPriority(ctx, filepath.Base(tmp), id, o.Priority)
	}
	if err == nil {
		name, err = s.intoQueue(tmp, name)
	}
	if err != nil {
		undo()
		return Submitted{}, errors.Join(err, c.fs.RemoveAll(tmp))
	}
	return Submitted{Name: name, Dev: id.dev, Ino: id.ino}, s.fs.SyncDir(s.path(DirQueued))
}

type copier struct {
	ctx      context.Context
	fs       atomicfile.FS
	progress func(done, total int64)
	done     int64
	total    int64
	count    int
	begun    bool
	held     *os.File // the lock that tells others that this client lives; nil where there are no locks
}

// hold locks the first thing that is made, which has the hidden name.
func (c *copier) hold(path string) {
	if !c.begun {
		c.begun, c.held = true, holdSubmission(path)
	}
}

func (c *copier) release() {
	if c.held != nil {
		_ = c.held.Close() // it was only locked
	}
}

// plan checks the sources before anything is written.
func (c *copier) plan(files []Source, name string) (entry string, single bool, err error) {
	if len(files) == 0 {
		return "", false, fmt.Errorf("%w: nothing to submit", ErrName)
	}
	seen := map[string]bool{}
	folder := false
	for i := range files {
		f := &files[i]
		if f.Content == nil {
			info, err := os.Stat(f.Path)
			if err != nil {
				return "", false, err
			}
			folder = folder || info.IsDir()
			if !info.IsDir() && !info.Mode().IsRegular() {
				return "", false, fmt.Errorf("%s: %w", f.Path, ErrNotRegular)
			}
			if info.Mode().IsRegular() {
				c.total += info.Size()
			}
			if f.Name == "" {
				f.Name = filepath.Base(f.Path)
			}
		}
		if err := errors.Join(checkOwnName(f.Name), checkName(f.Name)); err != nil {
			return "", false, err
		}
		if why := ignoredName(f.Name); why != "" || hidden(f.Name) {
			return "", false, fmt.Errorf("%w: %q would never be a job: %s", ErrName, f.Name, why)
		}
		if seen[f.Name] {
			return "", false, fmt.Errorf("%w: two files %q", ErrExists, f.Name)
		}
		seen[f.Name] = true
	}
	if folder {
		c.total = 0
	}
	single = len(files) == 1 && !folder
	entry = files[0].Name
	if !single {
		if name == "" {
			name = strings.TrimSuffix(entry, suffixJob)
			if len(files) > 1 {
				name = jobIDOf(name)
			}
		}
		entry = strings.TrimSuffix(name, suffixJob) + suffixJob
	}
	if err := errors.Join(checkOwnName(entry), checkName(entry)); err != nil {
		return "", false, err
	}
	return entry, single, nil
}

// build copies everything to the hidden name.
func (c *copier) build(tmp string, files []Source, single bool) (nodeID, error) {
	if single {
		if err := c.file(tmp, files[0]); err != nil {
			return nodeID{}, err
		}
		st, err := lstat(tmp)
		return nodeID{st.Dev, st.Ino}, err
	}
	if err := c.fs.Mkdir(tmp, modeSubmit); err != nil {
		return nodeID{}, err
	}
	c.hold(tmp)
	for _, f := range files {
		to := filepath.Join(tmp, f.Name)
		info, err := os.Stat(f.Path)
		switch {
		case f.Content == nil && err != nil:
			return nodeID{}, err
		case f.Content == nil && info.IsDir() && len(files) == 1:
			err = c.folder(tmp, f.Path)
		case f.Content == nil && info.IsDir():
			err = c.subfolder(to, f.Path)
		default:
			err = c.file(to, f)
		}
		if err != nil {
			return nodeID{}, err
		}
	}
	if err := c.close(tmp); err != nil {
		return nodeID{}, err
	}
	return nodeOf(tmp)
}

func (c *copier) subfolder(to, from string) error {
	if err := c.fs.Mkdir(to, modeSubmit); err != nil {
		return err
	}
	if err := c.folder(to, from); err != nil {
		return err
	}
	return c.close(to)
}

// close makes a copied folder durable and dates it back.
func (c *copier) close(dir string) error {
	if err := c.fs.SyncDir(dir); err != nil {
		return err
	}
	at := time.Now().Add(-backdate)
	return c.fs.Chtimes(dir, at, at)
}

// folder copies what is in a folder. Links and devices are refused: what they lead to may not be what was meant.
func (c *copier) folder(to, from string) error {
	var dirs []string
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		if c.count++; c.count > MaxFolderFiles {
			return fmt.Errorf("%s: %w: more than %d files", from, ErrNotRegular, MaxFolderFiles)
		}
		if strings.HasPrefix(d.Name(), submitPrefix) || d.Name() == markerName {
			return fmt.Errorf("%w: %q", ErrName, rel)
		}
		switch {
		case d.IsDir():
			dirs = append(dirs, filepath.Join(to, rel))
			return c.fs.Mkdir(filepath.Join(to, rel), modeSubmit)
		case !d.Type().IsRegular():
			return fmt.Errorf("%s: %w", path, ErrNotRegular)
		}
		return c.file(filepath.Join(to, rel), Source{Path: path})
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := c.close(dir); err != nil {
			return err
		}
	}
	return nil
}

// file copies one file or document, durably.
func (c *copier) file(to string, f Source) (err error) {
	out, err := c.fs.Create(to, modeFile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	c.hold(to)
	mtime := time.Now().Add(-backdate)
	if f.Content != nil {
		_, err = io.Copy(out, f.Content)
	} else {
		mtime, err = c.copy(out, f.Path)
	}
	if err != nil {
		return err
	}
	if err := c.fs.Chtimes(to, mtime, mtime); err != nil {
		return err
	}
	return c.fs.SyncFile(to)
}

// copy copies a file's data, as a clone where the file system can, else with its holes. It returns the mtime to give the copy.
func (c *copier) copy(out *os.File, path string) (time.Time, error) {
	in, err := openFollowing(path)
	if err != nil {
		return time.Time{}, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return time.Time{}, err
	}
	mtime := info.ModTime()
	if limit := time.Now().Add(-backdate); mtime.After(limit) {
		mtime = limit
	}
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) == nil {
		c.tell(info.Size())
		return mtime, nil
	}
	if err := out.Truncate(info.Size()); err != nil {
		return mtime, err
	}
	for off := int64(0); off < info.Size(); {
		from, to := dataAt(in, off, info.Size())
		c.tell(from - off)
		for off = from; off < to; {
			n := min(to-off, copyStep)
			if err := c.ctx.Err(); err != nil {
				return mtime, err
			}
			if _, err := io.Copy(io.NewOffsetWriter(out, off), io.NewSectionReader(in, off, n)); err != nil {
				return mtime, err
			}
			off += n
			c.tell(n)
		}
	}
	return mtime, nil
}

// openFollowing opens what a person named: through links, but never blocking on a pipe.
func openFollowing(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, errors.Join(err, fmt.Errorf("%s: %w", path, ErrNotRegular))
	}
	return f, nil
}

// dataAt is the next range with data at or behind off, as far as the file system tells.
func dataAt(f *os.File, off, size int64) (from, to int64) {
	from, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size // only a hole is left
	}
	if err != nil {
		return off, size
	}
	to, err = unix.Seek(int(f.Fd()), from, unix.SEEK_HOLE)
	if err != nil || to <= from {
		to = size
	}
	return min(from, size), min(to, size)
}

func (c *copier) tell(n int64) {
	c.done += n
	if c.progress != nil && n > 0 {
		c.progress(c.done, c.total)
	}
}
