package queue

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// The files beside its log that a failed job may keep: what the VM wrote to its serial port in a boot test, and its screen.
const (
	EvidenceSerial = "serial.log"
	EvidenceScreen = "screen.png"
)

func evidenceNames() []string { return []string{EvidenceSerial, EvidenceScreen} }

// maxEvidence bounds one of them, in bytes: what a boot test keeps of a console.
const maxEvidence = 16 << 20

// Evidence lists what a failed job keeps beside its log, by the Evidence names.
func (s *Spool) Evidence(j Job) []string {
	names := []string{}
	for _, name := range evidenceNames() {
		if path := s.EvidencePath(j, name); path != "" && exists(path) {
			names = append(names, name)
		}
	}
	return names
}

// EvidencePath is where a file of a failed job stands, if it is there; "" when no such job or file can be.
func (s *Spool) EvidencePath(j Job, name string) string {
	if j.State != Failed || !isID(j.ID) || !isDate(j.Date) || !slices.Contains(evidenceNames(), name) {
		return ""
	}
	return s.path(evidenceName(Record{ID: j.ID, Date: j.Date}, name))
}

// KeepEvidence keeps a file that tells why the job is about to fail, under one of the Evidence names. It stays beside the job's log,
// error.json names it, and it goes with the log. What is longer than 16 MiB is cut. A job that is put back begins without it.
func (c *Claim) KeepEvidence(name string, content io.Reader) error {
	if !slices.Contains(evidenceNames(), name) {
		return fmt.Errorf("%w: %q is no evidence", ErrName, name)
	}
	f, err := os.OpenFile(c.s.jobPath(c.id, name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, modeFile)
	if err != nil {
		return c.s.disk(err)
	}
	_, err = io.Copy(f, io.LimitReader(content, maxEvidence))
	return c.s.disk(errors.Join(err, f.Close()))
}

// evidenceName is where a file of evidence of a finished job is kept, relative to the workflow directory.
func evidenceName(r Record, name string) string {
	return filepath.Join(DirOwn, "logs", r.Date, r.ID+"."+name)
}

// evidenceOf lists the evidence of a failing job as error.json names it.
func (s *Spool) evidenceOf(r Record) []string {
	var names []string
	for _, name := range evidenceNames() {
		if r.Terminal == DirFailed && exists(s.jobPath(r.ID, name)) {
			names = append(names, evidenceName(r, name))
		}
	}
	return names
}

// keepEvidence moves the evidence to where the log is.
func (s *Spool) keepEvidence(r Record) error {
	for _, name := range evidenceNames() {
		if r.Terminal != DirFailed || !exists(s.jobPath(r.ID, name)) {
			continue
		}
		to := s.path(evidenceName(r, name))
		if err := s.fs.MkdirDurable(filepath.Dir(to), modeDir); err != nil {
			return s.disk(err)
		}
		if err := s.fs.RenameNoReplace(s.jobPath(r.ID, name), to); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
			return s.disk(err)
		}
	}
	return nil
}
