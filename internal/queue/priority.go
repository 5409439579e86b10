package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
)

// The priorities of jobs: of those that can start, one with a higher priority does so first, and of equal ones who has waited
// longest. A job that says nothing has the normal one.
const (
	PriorityLast   = 1
	PriorityLow    = 25
	PriorityNormal = 50
	PriorityHigh   = 75
	PriorityFirst  = 100
)

// priorityWords are what people say instead of numbers.
var priorityWords = []struct {
	word  string
	value int
}{{"high", PriorityHigh}, {"normal", PriorityNormal}, {"low", PriorityLow}}

// ParsePriority reads a priority: high, normal, low or a number from PriorityLast to PriorityFirst. Any other text is an ErrName.
func ParsePriority(text string) (int, error) {
	for _, w := range priorityWords {
		if strings.EqualFold(text, w.word) {
			return w.value, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || !validPriority(n) {
		return 0, fmt.Errorf("%w: a priority is high, normal, low or a number from %d (last) to %d (first), not %q", ErrName, PriorityLast, PriorityFirst, text)
	}
	return n, nil
}

// PriorityText is a priority for people; 0 is the normal one.
func PriorityText(n int) string {
	n = orNormal(n)
	for _, w := range priorityWords {
		if n == w.value {
			return w.word
		}
	}
	return strconv.Itoa(n)
}

func validPriority(n int) bool { return n >= PriorityLast && n <= PriorityFirst }

// orNormal is what a record says that says nothing.
func orNormal(n int) int {
	if n == 0 {
		return PriorityNormal
	}
	return n
}

// priorityFile is .hyper2kvm/priorities/<inode>.json: that a source has another priority than the normal one. Like an origin it is
// known by inode and holds only as long as the file is the very one, whatever it is renamed to: it outlives restarts, and a job that
// is put back still has it.
type priorityFile struct {
	Schema   int    `json:"schema"`
	Ino      uint64 `json:"ino"`
	Size     int64  `json:"size"`
	MtimeNS  int64  `json:"mtime_ns"`
	Priority int    `json:"priority"`
}

func (p priorityFile) key() sourceKey { return sourceKey{p.Ino, p.Size, p.MtimeNS} }

func (s *Spool) priorityPath(ino uint64) string {
	return s.own("priorities", strconv.FormatUint(ino, 10)+".json")
}

// SetPriority changes when an entry of the drop zone is claimed; it is durable before this returns. The daemon alone may call it.
// ErrNotFound: there is no such entry; ErrState: it is nothing that could run; ErrName: no such priority.
func (s *Spool) SetPriority(name string, priority int) error {
	if s.lock == nil {
		return fmt.Errorf("%w: only the daemon decides the order", ErrState)
	}
	if !validPriority(priority) {
		return fmt.Errorf("%w: priority %d, not %d to %d", ErrName, priority, PriorityLast, PriorityFirst)
	}
	if err := s.checkTree(); err != nil {
		return err
	}
	l, err := lookAt(s.path(DirQueued), name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %q is not in %s", ErrNotFound, name, DirQueued)
	case err != nil:
		return fmt.Errorf("%w: %q is %w", ErrState, name, err)
	}
	if err := s.keepPriority(l.id, priority); err != nil {
		return err
	}
	s.mu.Lock()
	hint := s.hint
	s.mu.Unlock()
	hint(name)
	return nil
}

// keepPriority makes the priority of a source durable.
func (s *Spool) keepPriority(id Identity, priority int) error {
	path := s.priorityPath(id.Ino)
	if priority = orNormal(priority); priority == PriorityNormal {
		if err := s.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.disk(err)
		}
		s.mu.Lock()
		delete(s.priorities, keyOf(id))
		s.mu.Unlock()
		return nil
	}
	b, err := json.Marshal(priorityFile{RecordSchema, id.Ino, id.Size, id.MtimeNS, priority})
	if err != nil {
		return err
	}
	if err := s.fs.Write(path, b, modeFile); err != nil {
		return s.disk(err)
	}
	s.mu.Lock()
	s.priorities[keyOf(id)] = priority
	s.mu.Unlock()
	return nil
}

// priorityOf is the priority of a source, as the daemon keeps it.
func (s *Spool) priorityOf(id Identity) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return orNormal(s.priorities[keyOf(id)])
}

// loadPriorities reads what an earlier run kept.
func (s *Spool) loadPriorities() error {
	dir := s.own("priorities")
	var names []string
	if err := eachName(dir, func(name string, _ byte) bool { names = append(names, name); return true }); err != nil {
		return layoutError(err)
	}
	for _, name := range names {
		var p priorityFile
		path := filepath.Join(dir, name)
		if err := readJSON(path, &p); err != nil || !validPriority(p.Priority) || s.priorityPath(p.Ino) != path {
			if err := s.fs.RemoveAll(path); err != nil {
				return s.disk(err)
			}
			continue
		}
		s.priorities[p.key()] = p.Priority
	}
	return nil
}

// tidyPriorities forgets the priorities of jobs that have ended, and of what people took out of the queue.
func (s *Spool) tidyPriorities() {
	keep := map[uint64]bool{}
	for _, c := range s.Live() {
		keep[c.Record().Identity.Ino] = true
	}
	s.mu.Lock()
	kept := make([]sourceKey, 0, len(s.priorities))
	for key := range s.priorities {
		kept = append(kept, key)
	}
	back := s.back
	s.mu.Unlock()
	if len(kept) == 0 || back > 0 || eachInode(s.path(DirQueued), func(ino uint64) { keep[ino] = true }) != nil {
		return
	}
	for _, key := range kept {
		if keep[key.ino] {
			continue
		}
		if err := s.keepPriority(Identity{Ino: key.ino, Size: key.size, MtimeNS: key.mtimeNS}, PriorityNormal); err != nil {
			s.log.Warn("tidying", "file", s.priorityPath(key.ino), "error", err)
		}
	}
}

// priorityInodes are the inodes for which there is a priority, as a client sees them.
func (s *Spool) priorityInodes() map[uint64]bool {
	inodes := map[uint64]bool{}
	err := eachName(s.own("priorities"), func(name string, _ byte) bool {
		if stem, ok := strings.CutSuffix(name, ".json"); ok {
			if ino, err := strconv.ParseUint(stem, 10, 64); err == nil {
				inodes[ino] = true
			}
		}
		return true
	})
	if err != nil {
		return nil // an older daemon, or none yet: everything is normal
	}
	return inodes
}

// readPriority is the priority of a source as a client sees it, 0 when nothing is said. The size and the time of a folder are those
// of what is in it, which is not looked at: its inode must do.
func (s *Spool) readPriority(id Identity, folder bool) int {
	var p priorityFile
	if readJSON(s.priorityPath(id.Ino), &p) != nil || p.Ino != id.Ino || !folder && p.key() != keyOf(id) || !validPriority(p.Priority) {
		return 0
	}
	return p.Priority
}

// askPriority asks for the priority of what is being submitted while it still has its hidden name, so that it cannot be claimed with
// another one. A daemon that runs answers at once; for one that does not, the request stays until it starts. undo takes the request
// back.
func (s *Spool) askPriority(ctx context.Context, hiddenName string, id nodeID, priority int) (undo func(), err error) {
	undo = func() {}
	if !validPriority(priority) {
		return undo, fmt.Errorf("%w: priority %d, not %d to %d", ErrName, priority, PriorityLast, PriorityFirst)
	}
	name, err := s.putRequest(Control{Verb: VerbPriority, Job: hiddenName, Ino: id.ino, Priority: priority})
	if err != nil {
		return undo, err
	}
	undo = func() { s.takeBack(name) }
	if _, live, err := s.Status(); err == nil && live != LiveRunning {
		return undo, nil
	}
	_, err = s.awaitReply(ctx, name)
	return undo, err
}

// EntryOf finds what a request about an entry of the drop zone means: by its name, hidden or not, as long as it has the inode that the
// request gives; else by the inode. owner is who put it there.
func (s *Spool) EntryOf(c Control) (name string, owner uint32, err error) {
	name = filepath.Base(c.Job)
	st, err := lstat(s.path(DirQueued, name))
	if err != nil || st.Ino != c.Ino || name != c.Job {
		name = ""
		err = eachEntry(s.path(DirQueued), func(n string, _ byte, ino uint64) bool {
			if ino == c.Ino {
				name = n
			}
			return name == ""
		})
		if err != nil {
			return "", 0, layoutError(err)
		}
		if name == "" {
			return "", 0, fmt.Errorf("%w: inode %d is not in %s", ErrNotFound, c.Ino, DirQueued)
		}
		if st, err = lstat(s.path(DirQueued, name)); err != nil {
			return "", 0, fmt.Errorf("%w: %q", ErrNotFound, name)
		}
	}
	if o, ok := s.origin(identityOf(st), st.Uid); ok {
		return name, o.Submitter, nil
	}
	return name, st.Uid, nil
}

// reprioritise takes over a priority that was changed, and keeps the entries that can be claimed in order.
func (i *Inbox) reprioritise(it *item) {
	p := i.s.priorityOf(it.seen.look.id)
	if p == it.priority {
		return
	}
	it.priority = p
	if it.inHeap {
		i.runnable.fix(it)
	}
}

// comesBefore orders the claims: by priority, then who waited longest, by the time that no user can set, then by name.
func (it *item) comesBefore(other *item) bool {
	if it.priority != other.priority {
		return it.priority > other.priority
	}
	return it.before(other)
}
