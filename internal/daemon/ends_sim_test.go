package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// status is the published one, which must be whole whenever it is looked at.
func (m *sim) status() (st queue.Status, err error) {
	b, err := os.ReadFile(filepath.Join(m.w, queue.DirOwn, "status.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &st)
	}
	return st, err
}

// record reads the record of a running job from its directory.
func record(dir string) (r queue.Record, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "record.json"))
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	return r, err
}

// deathsOf is how often the daemon died while a job ran, as its record says.
func (m *sim) deathsOf(id string) int {
	r, err := record(filepath.Join(m.w, queue.DirOwn, "jobs", id))
	if err != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.fault("a job runs and has no record: %w", err)
	}
	return r.Deaths
}

// final is what a meta.json or error.json says.
type final struct {
	path, entry string
	ID          string `json:"id"`
	Name        string `json:"original_name"`
	Code        string `json:"code"`
	Text        string `json:"error"`
	OutputDir   string `json:"output_dir"`
}

// finals are all records of jobs that ended, those too that were tried again since.
func (m *sim) finals() ([]final, error) {
	var all []final
	for _, terminal := range []string{queue.DirDone, queue.DirFailed} {
		paths, err := filepath.Glob(filepath.Join(m.w, terminal, "*", "*.json"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			f := final{path: path}
			if err == nil {
				err = json.Unmarshal(b, &f)
			}
			if err != nil {
				return nil, err
			}
			if f.ID == "" { // a manifest that was dropped as JSON
				continue
			}
			for _, suffix := range []string{".meta.json", ".error.json"} {
				if entry, ok := strings.CutSuffix(path, suffix); ok {
					f.entry = entry
				}
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// forgetPromises lets go what a daemon said that is dead or could not write: only what it had done by then counts.
func (m *sim) forgetPromises() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.promised)
}

// keptPromises proves that each job that the daemon said it would cancel was cancelled.
func (m *sim) keptPromises() error {
	finals, err := m.finals()
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for id := range m.promised {
		is := slices.IndexFunc(finals, func(f final) bool { return f.ID == id })
		if is < 0 || finals[is].Code != manifest.CodeJobCancelled {
			return fmt.Errorf("somebody was told that %s is cancelled, and it was not: %+v", id, finals)
		}
	}
	clear(m.promised)
	return nil
}

// check proves, with no daemon running and nothing left to do, that each source is in its one place, each job ended as it had to, and
// nothing else is left.
func (m *sim) check() error {
	where := map[string][]string{}
	for _, dir := range []string{queue.DirQueued, queue.DirRunning, queue.DirDone, queue.DirFailed} {
		err := filepath.WalkDir(filepath.Join(m.w, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, ".json") {
				return err
			}
			b, err := os.ReadFile(path)
			where[string(b)] = append(where[string(b)], strings.TrimPrefix(path, m.w+"/"))
			return err
		})
		if err != nil {
			return err
		}
	}
	for content, name := range m.dropped {
		at := where[content]
		switch {
		case len(at) == 0 && m.gone:
		case len(at) != 1:
			return fmt.Errorf("%s (%q) is in %d places: %v", name, content, len(at), at)
		case !strings.HasPrefix(at[0], queue.DirDone+"/") && !strings.HasPrefix(at[0], queue.DirFailed+"/"):
			return fmt.Errorf("%s has not come to its end: it is in %s", name, at[0])
		}
	}
	return errors.Join(m.checkEnds(), m.checkLeftovers())
}

// checkEnds proves that each job has its output or a reason to have none.
func (m *sim) checkEnds() error {
	finals, err := m.finals()
	if err != nil {
		return err
	}
	outputs := map[string]bool{}
	for _, root := range append([]string{m.out}, m.own...) {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if filepath.Base(path) == "report.json" {
				outputs[filepath.Dir(path)] = true
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, f := range finals {
		if f.entry != "" && !exists(f.entry) && !m.gone {
			return fmt.Errorf("%s has no source", f.path)
		}
		if strings.HasPrefix(f.path, filepath.Join(m.w, queue.DirDone)) {
			if f.OutputDir == "" { // a batch
				continue
			}
			b, err := os.ReadFile(filepath.Join(f.OutputDir, "disk"))
			if err != nil || string(b) != "image "+f.ID || !outputs[f.OutputDir] {
				return fmt.Errorf("%s: its output is %q, %w", f.path, b, err)
			}
			delete(outputs, f.OutputDir)
			continue
		}
		if !m.mayFail(f) {
			return fmt.Errorf("a good job failed: %+v, conducts %v", f, m.conducts[f.ID])
		}
	}
	if len(outputs) > 0 && !m.gone {
		return fmt.Errorf("outputs of no job: %v", outputs)
	}
	return nil
}

// mayFail says whether a job had a reason to fail like this.
func (m *sim) mayFail(f final) bool {
	was := m.conducts[f.ID]
	switch f.Code {
	case manifest.CodeJobCrashLoop:
		return was[crashes]+was[talksRubbish] >= MaxCrashes || m.dead >= queue.DefaultMaxDeaths
	case manifest.CodeJobStalled:
		return was[hangs]+was[hangsOn] > 0
	case manifest.CodeJobCancelled:
		return m.cancelled[f.ID] || m.cancelled[f.Name]
	case manifest.CodeOutputExists:
		return strings.HasPrefix(f.Name, "cfg")
	case manifest.CodeQueueMissing: // its disk ran alone before it came
		return !strings.HasSuffix(f.Name, ".img")
	case manifest.CodeJobInternal:
		return was[fails] > 0
	}
	return false
}

func (m *sim) checkLeftovers() error {
	patterns := []string{
		filepath.Join(m.w, queue.DirRunning, "*"), filepath.Join(m.w, queue.DirOwn, "tmp", "*"),
		filepath.Join(m.w, queue.DirQueued, "*"),
	}
	for _, root := range append([]string{m.out}, m.own...) {
		patterns = append(patterns, filepath.Join(root, ".partial", "*"), filepath.Join(filepath.Dir(root), ".partial", "*"))
	}
	jobs, err := filepath.Glob(filepath.Join(m.w, queue.DirOwn, "jobs", "*"))
	if err != nil {
		return err
	}
	for _, dir := range jobs { // of a job that was called back, and whose file another took: it goes some minutes later
		if r, err := record(dir); err != nil || r.Phase != queue.PhaseReturned {
			return fmt.Errorf("left behind: %s: %+v %w", dir, r, err)
		}
	}
	for _, pattern := range patterns {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			return fmt.Errorf("left behind: %v %w", left, err)
		}
	}
	return nil
}
