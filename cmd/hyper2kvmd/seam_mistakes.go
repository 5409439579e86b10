//go:build testseam

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
)

// mistake is one that a programmer of the queue could make. It sees each step before it is made, and makes it wrongly.
type mistake func(m *mistaken, s atomicfile.Step) error

// mistaken is what a mistake may remember; one step is looked at at a time.
type mistaken struct {
	mu   sync.Mutex
	dir  string // the workflow directory
	once bool
}

// mistakes are the seeded ones, by what $H2K_MISTAKE calls them. The tests in proof/ must find each.
func mistakes() map[string]mistake {
	return map[string]mistake{
		"no-sync-anywhere":  func(_ *mistaken, s atomicfile.Step) error { return skipIf(s.Op == "sync" || s.Op == "syncdir") },
		"no-directory-sync": func(_ *mistaken, s atomicfile.Step) error { return skipIf(s.Op == "syncdir") },
		"no-file-sync":      func(_ *mistaken, s atomicfile.Step) error { return skipIf(s.Op == "sync") },
		"meta-not-synced": func(m *mistaken, s atomicfile.Step) error {
			return skipIf(s.Op == "sync" && m.under(s.Path, ".hyper2kvm/tmp"))
		},
		"record-not-synced": func(m *mistaken, s atomicfile.Step) error {
			return skipIf(s.Op != "rename" && strings.HasPrefix(s.Op, "sync") && m.under(s.Path, ".hyper2kvm/jobs"))
		},
		"output-dir-not-synced": func(m *mistaken, s atomicfile.Step) error { return skipIf(s.Op == "syncdir" && !m.under(s.Path, ".")) },
		"commit-before-output":  commitFirst,
		"commit-before-record":  commitUnrecorded,
		"meta-never-written": func(m *mistaken, s atomicfile.Step) error {
			return skipIf(s.Op == "rename" && strings.HasSuffix(s.To, ".meta.json"))
		},
		"meta-replaces": unnumbered(func(m *mistaken, s atomicfile.Step) bool { return strings.HasSuffix(s.To, ".meta.json") }),
		"source-replaces": unnumbered(func(m *mistaken, s atomicfile.Step) bool {
			return m.under(s.Path, "processing") && (m.under(s.To, "processed") || m.under(s.To, "failed"))
		}),
		"output-replaces":         unnumbered(func(m *mistaken, s atomicfile.Step) bool { return !m.under(s.To, ".") }),
		"record-gone-before-move": forgetFirst,
		"source-left-in-place": func(m *mistaken, s atomicfile.Step) error {
			return skipIf(s.Op == "rename" && m.under(s.Path, "processing") && m.under(s.To, "processed"))
		},
		"source-copied-not-moved":  copyInstead,
		"source-deleted-when-done": deleteSource,
		"members-back-first":       membersFirst,
		"members-left-in-folder": func(m *mistaken, s atomicfile.Step) error {
			return failIf(m.fromJob(s) && m.under(s.To, "to_be_processed"))
		},
		"parts-not-delivered": func(m *mistaken, s atomicfile.Step) error {
			return skipIf(s.Op == "rename" && strings.Contains(s.Path, "/parts/") && m.under(s.To, "to_be_processed"))
		},
		"partial-kept": func(m *mistaken, s atomicfile.Step) error {
			return skipIf(s.Op == "removeall" && strings.Contains(s.Path, "/.partial/"))
		},
		"record-kept": func(m *mistaken, s atomicfile.Step) error {
			return skipIf(s.Op == "rename" && m.under(s.Path, ".hyper2kvm/jobs") && strings.Contains(s.To, "/gone-"))
		},
		"lock-closed-early":       closeLock,
		"record-written-in-place": halfRecord,
		"crashes-not-counted":     forgetCrashes,
		"failed-sync-retried":     retrySync,
	}
}

// stepHook returns the mistake that $H2K_MISTAKE names, nil for none.
func stepHook(workflowDir string) func(atomicfile.Step) error {
	name := os.Getenv("H2K_MISTAKE")
	if name == "" {
		return nil
	}
	make, ok := mistakes()[name]
	if !ok {
		if strings.HasPrefix(name, "job-") {
			return nil // the job's process makes it, see internal/convert/seam_on.go
		}
		panic("no mistake is called " + name)
	}
	m := &mistaken{dir: workflowDir}
	return func(s atomicfile.Step) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		return make(m, s)
	}
}

var errMistake = errors.New("a mistake that was asked for")

func skipIf(cond bool) error {
	if cond {
		return atomicfile.ErrTaken
	}
	return nil
}

func failIf(cond bool) error {
	if cond {
		return errMistake
	}
	return nil
}

// under says whether a path is in a directory of the workflow directory.
func (m *mistaken) under(path, dir string) bool {
	rel, err := filepath.Rel(filepath.Join(m.dir, dir), path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// writeBack is what a kernel may do at any time.
func (m *mistaken) writeBack() {
	if d, err := os.Open(m.dir); err == nil {
		_ = unix.Syncfs(int(d.Fd())) // the mistake is another
		d.Close()
	}
}

// fromJob says whether a step takes a file out of a .job directory of processing/.
func (m *mistaken) fromJob(s atomicfile.Step) bool {
	return s.Op == "rename" && m.under(s.Path, "processing") && strings.HasSuffix(filepath.Dir(s.Path), ".job")
}

// unnumbered is a rename that forgets the ~2 of its new name and replaces what has it.
func unnumbered(which func(*mistaken, atomicfile.Step) bool) mistake {
	return func(m *mistaken, s atomicfile.Step) error {
		if s.Op != "rename" || !strings.Contains(filepath.Base(s.To), "~2") || !which(m, s) {
			return nil
		}
		to := filepath.Join(filepath.Dir(s.To), strings.ReplaceAll(filepath.Base(s.To), "~2", ""))
		_ = os.RemoveAll(to)
		if err := os.Rename(s.Path, to); err != nil {
			return err
		}
		return atomicfile.ErrTaken
	}
}

// commitFirst moves the source to processed/ before its output is published.
func commitFirst(m *mistaken, s atomicfile.Step) error {
	if s.Op != "rename" || !strings.Contains(s.Path, "/.partial/") {
		return nil
	}
	entry, date := m.entryOf(filepath.Base(s.Path)), filepath.Base(filepath.Dir(s.To))
	if entry == "" {
		return nil
	}
	dir := filepath.Join(m.dir, "processed", date)
	_ = os.MkdirAll(dir, 0o750)
	if err := os.Rename(filepath.Join(m.dir, "processing", entry), filepath.Join(dir, entry)); err != nil {
		return err
	}
	m.writeBack()
	time.Sleep(20 * time.Millisecond)
	return nil
}

// commitUnrecorded publishes the output although no record says how its job will end.
func commitUnrecorded(m *mistaken, s atomicfile.Step) error {
	return skipIf(s.Op == "rename" && m.under(s.To, ".hyper2kvm/jobs") && strings.HasSuffix(s.To, "record.json") && m.saysFinal(s.Path))
}

func (m *mistaken) saysFinal(path string) bool {
	b, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(b), `"final":`)
}

// entryOf is the name in processing/ of the job with this id.
func (m *mistaken) entryOf(id string) string {
	b, err := os.ReadFile(filepath.Join(m.dir, ".hyper2kvm", "jobs", id, "record.json"))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), `"entry":"`)
	entry, _, _ := strings.Cut(rest, `"`)
	return entry
}

// forgetFirst removes the records of a job before its source is moved.
func forgetFirst(m *mistaken, s atomicfile.Step) error {
	if s.Op != "rename" || !strings.HasSuffix(s.To, ".meta.json") {
		return nil
	}
	jobs, err := os.ReadDir(filepath.Join(m.dir, ".hyper2kvm", "jobs"))
	if err != nil {
		return err
	}
	for _, job := range jobs {
		if entry := m.entryOf(job.Name()); entry != "" && strings.HasPrefix(filepath.Base(s.To), strings.TrimSuffix(entry, filepath.Ext(entry))) {
			_ = os.RemoveAll(filepath.Join(m.dir, ".hyper2kvm", "jobs", job.Name()))
		}
	}
	m.writeBack()
	time.Sleep(20 * time.Millisecond)
	return nil
}

// copyInstead leaves a second name of a source where it was.
func copyInstead(m *mistaken, s atomicfile.Step) error {
	if s.Op != "rename" || !m.under(s.Path, "processing") || !m.under(s.To, "processed") {
		return nil
	}
	b, err := os.ReadFile(s.Path)
	if err != nil {
		return nil // a folder
	}
	if err := os.WriteFile(s.To, b, 0o640); err != nil {
		return err
	}
	return atomicfile.ErrTaken
}

// deleteSource takes the result for all that anybody wants.
func deleteSource(m *mistaken, s atomicfile.Step) error {
	if s.Op != "rename" || !m.under(s.Path, "processing") || !m.under(s.To, "processed") {
		return nil
	}
	_ = os.RemoveAll(s.Path)
	return atomicfile.ErrTaken
}

// membersFirst puts back what a document names before the document, and leaves the inbox time to see it.
func membersFirst(m *mistaken, s atomicfile.Step) error {
	if m.once || !m.fromJob(s) || !m.under(s.To, "to_be_processed") {
		return nil
	}
	m.once = true
	others, err := os.ReadDir(filepath.Dir(s.Path))
	if err != nil {
		return err
	}
	for _, o := range others {
		if o.Name() != filepath.Base(s.Path) && !strings.HasPrefix(o.Name(), ".") {
			_ = os.Rename(filepath.Join(filepath.Dir(s.Path), o.Name()), filepath.Join(filepath.Dir(s.To), o.Name()))
		}
	}
	time.Sleep(time.Second)
	return nil
}

// closeLock lets the lock go at the first step that follows it.
func closeLock(m *mistaken, s atomicfile.Step) error {
	if m.once {
		return nil
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && to == filepath.Join(m.dir, ".hyper2kvm", "lock") {
			var n int
			if _, err := fmt.Sscan(fd.Name(), &n); err == nil {
				free := unix.Flock_t{Type: unix.F_UNLCK}
				m.once = unix.FcntlFlock(uintptr(n), unix.F_OFD_SETLK, &free) == nil
			}
		}
	}
	return nil
}

// halfRecord writes meta.json where readers see it, and takes its time.
func halfRecord(m *mistaken, s atomicfile.Step) error {
	if s.Op != "rename" || !strings.HasSuffix(s.To, ".meta.json") {
		return nil
	}
	b, err := os.ReadFile(s.Path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.To, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for _, half := range [][]byte{b[:len(b)/2], b[len(b)/2:]} {
		if _, err := f.Write(half); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		m.writeBack()
		time.Sleep(20 * time.Millisecond)
	}
	_ = os.Remove(s.Path)
	return atomicfile.ErrTaken
}

// retrySync believes the second sync after a failed one.
func retrySync(_ *mistaken, s atomicfile.Step) error {
	if s.Op != "sync" {
		return nil
	}
	for range 3 {
		f, err := os.Open(s.Path)
		if err != nil {
			return nil
		}
		err = f.Sync()
		f.Close()
		if err == nil {
			break
		}
	}
	return atomicfile.ErrTaken
}

// forgetCrashes writes records in which neither a job's process nor the daemon ever died.
func forgetCrashes(m *mistaken, s atomicfile.Step) error {
	if s.Op != "rename" || filepath.Base(s.To) != "record.json" || !m.under(s.To, ".hyper2kvm/jobs") {
		return nil
	}
	b, err := os.ReadFile(s.Path)
	if err != nil {
		return err
	}
	for n := range 9 {
		b = []byte(strings.ReplaceAll(string(b), fmt.Sprintf(`"crashes":%d`, n), `"crashes":0`))
		b = []byte(strings.ReplaceAll(string(b), fmt.Sprintf(`"deaths":%d`, n), `"deaths":0`))
	}
	return os.WriteFile(s.Path, b, 0o640)
}
