package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// The codes of failures that the queue itself decides on. What they mean stands in the product's table of codes.
const (
	codeMissing   = "H2K-Q-001"
	codeName      = "H2K-Q-002"
	codeCrashLoop = "H2K-JOB-004"
)

// Recovery is one thing that Start put in order.
type Recovery struct {
	ID     string // of the job; empty for an entry without one
	Entry  string // name in processing/
	Action string // drop, return, fail, finish, split, set-aside, adopt, report
	Reason string
}

// Recovered is what Start found interrupted and what it did about it.
func (s *Spool) Recovered() []Recovery { return s.recovered }

// onDisk is all that counts about a job that a stopped daemon left behind.
type onDisk struct {
	phase     string
	entry     bool // the entry is in processing/
	output    bool // our output stands at OutputDir
	needless  bool // the job has no output directory
	final     bool // the record has its meta.json or error.json ready
	committed bool // that record is published
	lastDeath bool // one more death of the daemon is one too many
}

type action string

const (
	actDrop     action = "drop"      // nothing is left to do: the record goes
	actKeep     action = "keep"      // waits in the drop zone for its next claim
	actReturn   action = "return"    // back to the drop zone
	actDied     action = "died"      // back to the drop zone, and the death of the daemon counts
	actFail     action = "fail"      // it counts once too often
	actFinish   action = "finish"    // on from the commit
	actSplit    action = "split"     // deliver the remaining parts, then finish
	actSetAside action = "set-aside" // a record that this program does not understand
)

// decide is the table of README.md: what becomes of a job that a daemon left behind. It is pure, and deciding again after any
// part of the action leads to the same end.
func decide(d onDisk) (action, string) {
	switch {
	case d.committed:
		return actFinish, "its record is published"
	case d.phase == PhaseFailing && d.final:
		return actFinish, "it had failed"
	case d.phase == PhaseSplitting:
		return actSplit, "its parts were under way"
	case d.phase == PhaseOutputDone && d.final && (d.output || d.needless):
		return actFinish, "its output is published"
	case d.phase == PhaseOutputDone && d.entry:
		return actReturn, "its output is gone"
	case d.phase == PhasePlaced && d.final && d.output:
		return actFinish, "its output is published"
	case d.phase == PhaseReturned && d.entry:
		return actReturn, "it was being put back"
	case d.phase == PhaseReturned:
		return actKeep, "it is in the drop zone"
	case d.phase == PhaseClaimed && d.entry:
		return actReturn, "it had not begun"
	case (d.phase == PhaseRunning || d.phase == PhasePlaced) && d.entry && d.lastDeath:
		return actFail, "it was running when the daemon died, once too often"
	case (d.phase == PhaseRunning || d.phase == PhasePlaced) && d.entry:
		return actDied, "it was running when the daemon died"
	case d.phase == PhaseClaimed, d.phase == PhaseRunning, d.phase == PhasePlaced, d.phase == PhaseOutputDone:
		return actDrop, "its source is not in processing"
	}
	return actSetAside, fmt.Sprintf("phase %q is not known", d.phase)
}

// observe reads from the disk what decide needs.
func (s *Spool) observe(r Record) onDisk {
	d := onDisk{
		phase: r.Phase, entry: exists(s.path(DirRunning, r.Entry)), final: len(r.Final) > 0,
		output: s.outputIsOurs(r), needless: r.OutputDir == "", lastDeath: r.Deaths+1 >= s.maxDeaths,
	}
	if r.Terminal != "" && r.FinalName != "" && d.final {
		d.committed = recordID(s.path(r.Terminal, r.Date, r.FinalName+suffixOf(r.Terminal))) == r.ID
	}
	return d
}

// recover puts in order what a stopped daemon left: every job first, then what stands in processing/ without one.
func (s *Spool) recover() error {
	if err := s.sweep(); err != nil {
		return err
	}
	ids, err := dirNames(s.own("jobs"), maxLeftJobs)
	if err != nil {
		return layoutError(err)
	}
	for _, id := range ids {
		if err := s.recoverJob(id); err != nil {
			return fmt.Errorf("recover %q: %w", id, err)
		}
	}
	if err := s.adopt(); err != nil {
		return err
	}
	s.tidy(s.clock())
	return nil
}

// maxLeftJobs bounds how many records are read at a start: far more than jobs ever run or wait with a record.
const maxLeftJobs = 1_000_000

func (s *Spool) recoverJob(id string) error {
	rec, err := s.readRecord(id)
	if !isID(id) || err != nil {
		if errors.Is(err, fs.ErrNotExist) && isID(id) {
			return s.dropJob(id) // a claim that had only made its directory
		}
		s.note(Recovery{ID: id, Action: string(actSetAside), Reason: fmt.Sprint(err)})
		return s.setAside(id)
	}
	act, why := decide(s.observe(rec))
	if act != actKeep {
		s.note(Recovery{ID: id, Entry: rec.Entry, Action: string(act), Reason: why})
	}
	return s.apply(act, rec)
}

func (s *Spool) apply(act action, rec Record) error {
	var err error
	switch act {
	case actKeep:
		s.returned[keyOf(rec.Identity)] = rec
	case actReturn:
		_, _, err = s.giveBack(rec, false)
	case actDied:
		rec.Deaths++
		_, _, err = s.giveBack(rec, true)
	case actFail:
		rec.Deaths++
		rec, err = s.failing(rec, crashLoop(rec.Deaths))
		if err == nil {
			_, err = s.finish(rec)
		}
	case actFinish:
		if rec.Phase == PhasePlaced { // the rename was seen, its durability is not known
			err = s.publishOutput(rec)
		}
		if err == nil {
			_, err = s.finish(rec)
		}
	case actSplit:
		rec, err = s.deliverParts(rec)
		if err == nil {
			_, err = s.finish(rec)
		}
	case actDrop:
		err = s.dropPartial(rec)
		if err == nil {
			err = s.dropJob(rec.ID)
		}
	case actSetAside:
		err = s.setAside(rec.ID)
	}
	return err
}

func crashLoop(n int) Outcome {
	return Outcome{Fields: map[string]any{
		"code": codeCrashLoop, "retryable": false,
		"error": fmt.Sprintf("the job was running each of the %d times that the daemon died", n),
		"hint":  "look at the log of the job and of the daemon; if the machine itself was at fault, retry the job",
	}}
}

// adopt deals with entries of processing/ that no record knows: a claim needs no sync, so a power cut can leave one, and people
// put things where they should not. Files and folders go back to the queue; anything else is left and reported.
func (s *Spool) adopt() error {
	names, err := dirNames(s.path(DirRunning), maxLeftJobs)
	if err != nil {
		return layoutError(err)
	}
	for _, name := range names {
		if temporary(name) {
			if err := s.fs.Remove(s.path(DirRunning, name)); err != nil {
				return s.disk(err)
			}
			continue
		}
		st, err := lstat(s.path(DirRunning, name))
		if err != nil {
			return layoutError(err)
		}
		if k := kindOf(st.Mode); hidden(name) || !isPlain(st.Mode) {
			s.note(Recovery{Entry: name, Action: "report", Reason: "left where it is: " + k})
			continue
		}
		rec := Record{Entry: name, OriginalName: name}
		if _, err := s.returnEntry(rec); err != nil {
			return err
		}
		s.note(Recovery{Entry: name, Action: "adopt", Reason: "it stood in processing without a record and is back in the queue"})
	}
	return nil
}

// sweep removes what crashes left in our own temporary directory and beside the records.
func (s *Spool) sweep() error {
	names, err := dirNames(s.own("tmp"), maxLeftJobs)
	if err != nil {
		return layoutError(err)
	}
	for _, name := range names {
		if err := s.fs.RemoveAll(s.own("tmp", name)); err != nil {
			return s.disk(err)
		}
	}
	for _, dir := range []string{s.own(), s.own("left"), s.own("origins"), s.own("priorities"), s.own("replies")} {
		err := eachName(dir, func(name string, _ byte) bool {
			if temporary(name) || isProbe(dir, name) {
				_ = s.fs.Remove(filepath.Join(dir, name))
			}
			return true
		})
		if err != nil {
			return layoutError(err)
		}
	}
	for _, dir := range stateDirs {
		err := eachName(s.path(dir), func(name string, _ byte) bool {
			if isProbe(s.path(dir), name) {
				_ = s.fs.Remove(s.path(dir, name))
			}
			return true
		})
		if err != nil {
			return layoutError(err)
		}
	}
	return nil
}

// setAside moves a record that cannot be understood out of the way and keeps it for a person.
func (s *Spool) setAside(id string) error {
	dir := s.own("set-aside")
	if err := s.fs.MkdirDurable(dir, modeDir); err != nil {
		return s.disk(err)
	}
	_, err := s.moveFree(s.jobPath(id), dir, id)
	return err
}

func (s *Spool) note(r Recovery) {
	s.recovered = append(s.recovered, r)
	s.log.Warn("put in order after a crash", "id", r.ID, "entry", r.Entry, "action", r.Action, "reason", r.Reason)
}

func isPlain(mode uint32) bool {
	return mode&unix.S_IFMT == unix.S_IFREG || mode&unix.S_IFMT == unix.S_IFDIR
}
