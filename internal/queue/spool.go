package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hyper2kvm/internal/atomicfile"
)

// How often a job may run without an answer before it is failed. The crashes are those of its own child. When the daemon dies, that may
// be the doing of any of its jobs or of none: of a kill, an update, a power cut. So that counts for less.
const (
	DefaultMaxCrashes = 3
	DefaultMaxDeaths  = 10
)

// Spool is a workflow directory. Clients get one from Open, the daemon from Start. Its methods are safe for concurrent use.
type Spool struct {
	dir        string
	log        *slog.Logger
	clock      func() time.Time
	loc        *time.Location
	maxCrashes int
	maxDeaths  int
	fs         atomicfile.FS
	ended      func(Record)

	daemonLock *os.File // held by the daemon alone, nil in a client
	lock       *os.File // inherited by its children, nil in a client
	recovered  []Recovery

	placeMu sync.Mutex // one output directory is chosen at a time

	traffic *traffic

	leftMu sync.Mutex // what jobs left is removed, or built anew

	treeMu sync.Mutex
	tree   map[string]nodeID

	mu         sync.Mutex
	live       map[string]*Claim    // by id
	back       int                  // jobs on their way back to the drop zone: off the list of running ones, and not there yet
	returned   map[sourceKey]Record // in the drop zone again, keeping their id
	priorities map[sourceKey]int    // other than the normal one; the daemon's alone
	halfway    []Record             // claims that failed and could not be undone yet
	trouble    error
	hint       func(names ...string) // tells the Inbox about entries that come back or whose job ended
}

// StartOptions are what a daemon decides. The zero value is ready to use.
type StartOptions struct {
	LockWait   time.Duration    // how long to wait for the lock: children of a killed daemon end by themselves
	Clock      func() time.Time // nil = time.Now
	Log        *slog.Logger     // nil = silent
	MaxCrashes int              // of a job's child; 0 = DefaultMaxCrashes
	MaxDeaths  int              // of the daemon while a job runs, never fewer than MaxCrashes; 0 = DefaultMaxDeaths
	Location   *time.Location   // of the dates in the tree; nil = time.Local
	Ended      func(Record)     // hears of every job that ended, recovered ones too; it must not wait; nil = nobody

	// Before sees each step that changes the disk, and may stop it: tests rehearse crashes, full disks and mistakes by it; nil = nobody.
	Before func(atomicfile.Step) error
}

// Open is a client's view of a workflow directory. It changes nothing. errors.Is(err, ErrLayout) when dir is not one.
func Open(dir string) (*Spool, error) {
	s, err := newSpool(dir, StartOptions{})
	if err != nil {
		return nil, err
	}
	if err := missing(s.dir); err != nil {
		return nil, fmt.Errorf("%w (a daemon started with this workflow directory makes what is missing)", err)
	}
	return s, s.checkLayoutVersion(false)
}

// Start opens a workflow directory for the one daemon that works on it: it makes what is missing, proves that entries can move
// between the directories, takes the lock and brings every job that a crash interrupted to a state in which it can go on.
// Errors are ErrLayout, ErrLocked, ErrNoSpace and ErrIO.
func Start(dir string, o StartOptions) (*Spool, error) {
	s, err := newSpool(dir, o)
	if err != nil {
		return nil, err
	}
	if err := s.start(o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Spool) start(o StartOptions) error {
	if err := s.createLayout(); err != nil {
		return err
	}
	if err := s.checkLayoutVersion(true); err != nil {
		return err
	}
	if err := s.takeLock(o.LockWait); err != nil {
		return err
	}
	if err := s.probe(); err != nil {
		return err
	}
	if err := s.rememberTree(); err != nil {
		return err
	}
	if err := s.loadPriorities(); err != nil {
		return err
	}
	return s.recover()
}

func newSpool(dir string, o StartOptions) (*Spool, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, layoutError(err)
	}
	s := &Spool{
		dir: abs, log: o.Log, clock: o.Clock, loc: o.Location, maxCrashes: o.MaxCrashes, maxDeaths: o.MaxDeaths, ended: o.Ended,
		fs:      atomicfile.FS{Before: o.Before},
		traffic: newTraffic(),
		live:    map[string]*Claim{}, returned: map[sourceKey]Record{}, priorities: map[sourceKey]int{}, hint: func(...string) {},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.loc == nil {
		s.loc = time.Local
	}
	if s.ended == nil {
		s.ended = func(Record) {}
	}
	if s.maxCrashes <= 0 {
		s.maxCrashes = DefaultMaxCrashes
	}
	if s.maxDeaths <= 0 {
		s.maxDeaths = DefaultMaxDeaths
	}
	s.maxDeaths = max(s.maxDeaths, s.maxCrashes)
	return s, nil
}

// Dir is the absolute path of the workflow directory.
func (s *Spool) Dir() string { return s.dir }

// LockFile is what children inherit: as long as one of them lives, a new daemon waits for it. nil in a client.
func (s *Spool) LockFile() *os.File { return s.lock }

// Close gives the lock up. Jobs that are still claimed stay in processing/ for the next Start.
func (s *Spool) Close() error {
	if s.lock == nil {
		return nil
	}
	err := errors.Join(s.lock.Close(), s.daemonLock.Close())
	s.lock, s.daemonLock = nil, nil
	return err
}

// date is the name of a date directory.
func (s *Spool) date(t time.Time) string { return t.In(s.loc).Format(time.DateOnly) }

// exists says whether a name is taken, by whatever.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
