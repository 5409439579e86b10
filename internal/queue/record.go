package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/atomicfile"
)

// RecordSchema is the version of record.json, meta.json and error.json that this program writes. It sets newer ones aside.
const RecordSchema = 1

// maxRecord bounds what is read of any JSON file of the queue: a record with the names of MaxMembers files and a full final record
// in it is smaller. maxFinal bounds what is written as meta.json or error.json.
const (
	maxRecord = 16 << 20
	maxFinal  = 4 << 20
)

// The phases of a running job, in Record.Phase; README.md says what stands on the disk in each.
const (
	PhaseClaimed    = "claimed"     // about to be taken or just taken
	PhaseRunning    = "running"     // its child may be working
	PhasePlaced     = "placed"      // OutputDir is chosen; with Final set, the rename to it may have happened
	PhaseOutputDone = "output_done" // OutputDir is there and durable
	PhaseSplitting  = "splitting"   // the parts are there and go to the drop zone
	PhaseFailing    = "failing"     // it has failed; error.json follows
	PhaseReturned   = "returned"    // back in the drop zone; the record keeps its id and its crashes and deaths for the next claim
)

// Record is .hyper2kvm/jobs/<id>/record.json: what the daemon must know about a running job after a crash.
type Record struct {
	Schema       int        `json:"schema"`
	ID           string     `json:"id"`                          // sortable, unique
	JobID        string     `json:"job_id"`                      // stem of the original name
	OriginalName string     `json:"original_name"`               // as it was dropped; valid UTF-8
	OriginalB64  string     `json:"original_name_b64,omitempty"` // the bytes, when OriginalName could not keep them
	Entry        string     `json:"entry"`                       // name in processing/
	Dir          bool       `json:"dir,omitempty"`               // it came as a folder
	Kind         string     `json:"kind"`
	Phase        string     `json:"phase"`
	Members      []string   `json:"members,omitempty"` // names that were taken along, the entry's own first
	Batch        string     `json:"batch,omitempty"`   // id of the batch that it is a part of
	Submitter    uint32     `json:"submitter_uid"`
	Priority     int        `json:"priority,omitempty"` // 0 = normal
	Identity     Identity   `json:"identity"`           // of the entry as it stood in the drop zone
	QueuedAt     time.Time  `json:"queued_at"`
	ClaimedAt    time.Time  `json:"claimed_at"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
	Crashes      int        `json:"crashes"`          // times that the job's child died without an answer
	Deaths       int        `json:"deaths,omitempty"` // times that the daemon died while the job ran
	Date         string     `json:"date,omitempty"`
	Partial      string     `json:"partial,omitempty"`     // absolute; built there
	PartialIno   uint64     `json:"partial_ino,omitempty"` // of Partial, by which OutputDir is known to be ours
	OutputDir    string     `json:"output_dir,omitempty"`  // absolute; published there
	Parts        []PartName `json:"parts,omitempty"`       // of a batch
	Terminal     string     `json:"terminal,omitempty"`    // processed or failed, once decided
	FinalName    string     `json:"final_name,omitempty"`  // entry name in the terminal directory

	// Final is the meta.json or error.json that the job will get: written before anything that cannot be taken back, so that a
	// daemon that starts after a crash can finish the job without having seen its run.
	Final json.RawMessage `json:"final,omitempty"`
}

// PartName is one part of a batch after it was put into the drop zone; device and inode find its job.
type PartName struct {
	Name string `json:"name"`
	Dev  uint64 `json:"dev"`
	Ino  uint64 `json:"ino"`
}

// sourceKey knows a source again when it comes back to the drop zone. The device is left out, because it may change when the
// machine starts again, and the ctime, because a rename changes it.
type sourceKey struct {
	ino     uint64
	size    int64
	mtimeNS int64
}

func keyOf(id Identity) sourceKey { return sourceKey{id.Ino, id.Size, id.MtimeNS} }

func (s *Spool) recordPath(id string) string { return s.jobPath(id, "record.json") }

// writeRecord replaces the record. A durable one outlives a power cut, and so does every one that knows where a job builds: were its
// content lost, nobody would remove what stands there.
func (s *Spool) writeRecord(r Record, durable bool) error {
	r.Schema = RecordSchema
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("record of %s: %w", r.ID, err)
	}
	if durable || r.Partial != "" {
		if err := s.fs.Write(s.recordPath(r.ID), b, modeFile); err != nil {
			return s.disk(err)
		}
		return s.disk(s.fs.SyncDir(s.own("jobs"))) // the claim has made the job's directory there and synced nothing
	}
	return s.disk(s.fs.WriteFast(s.recordPath(r.ID), b, modeFile))
}

// readRecord reads the record of a job. errors.Is(err, fs.ErrNotExist) when it has none.
func (s *Spool) readRecord(id string) (Record, error) {
	var r Record
	if err := readJSON(s.recordPath(id), &r); err != nil {
		return Record{}, err
	}
	if r.Schema > RecordSchema {
		return Record{}, fmt.Errorf("record of %s has schema %d, this program knows %d", id, r.Schema, RecordSchema)
	}
	if r.ID != id {
		return Record{}, fmt.Errorf("record of %s says it is of %q", id, r.ID)
	}
	if err := checkOwnName(r.Entry); err != nil {
		return Record{}, fmt.Errorf("record of %s: entry %w", id, err)
	}
	if !r.partialIsOwn() {
		return Record{}, fmt.Errorf("record of %s builds in %q", id, r.Partial)
	}
	return r, nil
}

// readJSON reads a regular file of bounded size into v.
func readJSON(path string, v any) error {
	b, err := readSmall(path, maxRecord)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readSmall reads at most limit bytes of a regular file that is not a symbolic link, without ever blocking on opening it.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, ErrNotRegular)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes", path, limit)
	}
	return b, nil
}

// kinded gives the errors of a file system their kinds.
func kinded(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrNoSpace), errors.Is(err, ErrIO):
		return err
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case errors.Is(err, unix.EIO), errors.Is(err, unix.EROFS), errors.Is(err, atomicfile.ErrSync):
		return fmt.Errorf("%w: %w", ErrIO, err)
	}
	return err
}

// disk is kinded for the file system of the queue itself, where some errors must stop the claiming.
func (s *Spool) disk(err error) error {
	err = kinded(err)
	if !errors.Is(err, ErrNoSpace) && !errors.Is(err, ErrIO) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == nil || errors.Is(err, ErrIO) {
		s.trouble = err
	}
	return err
}

// Trouble is the last error that means that nothing more may be claimed: no space (until there is some again) or a file
// system that does not keep what it is given (until the daemon is started again). nil when all is well.
func (s *Spool) Trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// spaceProbe is what must fit before claiming goes on after a full disk: a few records.
const spaceProbe = 64 << 10

// recheckSpace forgets ErrNoSpace when a few records fit again.
func (s *Spool) recheckSpace() {
	err := s.Trouble()
	if !errors.Is(err, ErrNoSpace) || errors.Is(err, ErrIO) {
		return
	}
	probe := s.own("tmp", "space")
	if s.fs.Write(probe, make([]byte, spaceProbe), modeFile) != nil {
		return
	}
	if s.fs.Remove(probe) != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == err { //nolint:errorlint // the very error that was looked at, not its kind
		s.trouble = nil
	}
}
