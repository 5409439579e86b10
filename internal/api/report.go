package api

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// report answers with the report.json of a job that is done, as it stands.
func (s *Server) report(w http.ResponseWriter, r *http.Request) error {
	j, err := s.find(r)
	if err != nil {
		return err
	}
	if j.State != queue.Done || j.OutputDir == "" {
		return newProblem(http.StatusNotFound, manifest.CodeAPINoJob, "the job %s is %s: only jobs that are done have a report", short(j.Name), j.State)
	}
	b, err := jobs.ReadReport(filepath.Join(j.OutputDir, "report.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newProblem(http.StatusNotFound, manifest.CodeAPINoJob, "the report is not in %s any more", j.OutputDir)
	case err != nil:
		return err
	case !json.Valid(b):
		return newProblem(http.StatusInternalServerError, manifest.CodeAPIInternal, "the report in %s is damaged", j.OutputDir)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // the client went away
	return nil
}

// fileTypes are the files of an output directory that are served: what a person looks at. Disks are not: they are copied from where
// they stand.
var fileTypes = map[string]string{
	".png": "image/png", ".xml": "text/plain; charset=utf-8", ".json": "application/json", ".log": "text/plain; charset=utf-8",
	".txt": "text/plain; charset=utf-8", ".diff": "text/plain; charset=utf-8",
}

// maxFile bounds what is served of an output directory: a screenshot is far smaller.
const maxFile = 16 << 20

// maxDepth is how deep a served file stands in the output directory: a boot test has a directory of its own.
const maxDepth = 2

// plainFile says whether each part of a file's name is a plain name.
func plainFile(name string) bool {
	parts := strings.Split(name, "/")
	return len(parts) <= maxDepth && !slices.ContainsFunc(parts, func(part string) bool { return queue.CheckKey(part) != nil || strings.HasPrefix(part, ".") })
}

// openFile opens a file of a job's output, or what a failed job keeps beside its log. No link is followed out of the directory, and
// none at all to the file.
func (s *Server) openFile(j queue.Job, name string) (*os.File, error) {
	dir := j.OutputDir
	switch {
	case j.State == queue.Failed:
		path := s.o.Spool.EvidencePath(j, name)
		if path == "" {
			return nil, fs.ErrNotExist
		}
		dir, name = filepath.Split(path)
	case dir == "" || j.State != queue.Done:
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }() // nothing was written
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	// A Root follows links that stay in it, whatever the flags say.
	is, err := f.Stat()
	named, lerr := root.Lstat(name)
	if err = errors.Join(err, lerr); err == nil && os.SameFile(is, named) {
		return f, nil
	}
	_ = f.Close() // it was only opened
	return nil, errors.Join(fs.ErrNotExist, err)
}

// file answers with a small file of a job: the domain XML, what a boot test left of its screen and its console.
func (s *Server) file(w http.ResponseWriter, r *http.Request) error {
	j, err := s.find(r)
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	kind, ok := fileTypes[strings.ToLower(filepath.Ext(name))]
	if !ok || !plainFile(name) {
		return newProblem(http.StatusNotFound, manifest.CodeAPINoJob, "%q is not served: only descriptions, logs and pictures are; disks stand in the output directory", short(name))
	}
	f, err := s.openFile(j, name)
	if err != nil {
		return missing(err, name)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return newProblem(http.StatusNotFound, manifest.CodeAPINoJob, "%q is no regular file of at most %d MiB", short(name), maxFile>>20)
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, max-age=60")
	_, _ = io.Copy(w, io.LimitReader(f, maxFile)) // the client went away
	return nil
}

// missing is the problem of a file that is not there, or is a link, which is not followed; that the server may not read it is its own.
func missing(err error, what string) error {
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	return newProblem(http.StatusNotFound, manifest.CodeAPINoJob, "%q is not there, or is no regular file", short(what))
}
