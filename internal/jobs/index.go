package jobs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hyper2kvm/internal/queue"
)

// maxEntries bounds the index: some 40 MB. The oldest finished jobs are left out beyond it.
const maxEntries = 300_000

// listShare is how much of the time may go into listing: after a listing of 0.25 s there is none for 10 s.
const listShare = 40

// maxRest is the longest that a changed directory is not looked at, however long a listing takes.
const maxRest = 10 * time.Second

// suffixes of the records of finished jobs, by their directory; see the README of internal/queue.
var suffixes = map[string]string{queue.DirDone: ".meta.json", queue.DirFailed: ".error.json"}

// listing is what one directory held when it was read.
type listing struct {
	stamp   stamp
	entries []entry
	rest    time.Time // not read again before
}

// stamp is what changes when a directory changes.
type stamp struct{ mtime, seq int64 }

// stampOf reads a directory's time of change. A directory that changed just now may change again within the same tick of the
// file system's clock, so its stamp does not count as seen.
func stampOf(dir string, now time.Time) (stamp, error) {
	st, err := os.Stat(dir)
	if err != nil {
		return stamp{}, err
	}
	if now.Sub(st.ModTime()).Abs() < 2*time.Second {
		return stamp{mtime: now.UnixNano()}, nil
	}
	return stamp{mtime: st.ModTime().UnixNano()}, nil
}

// rest is until when a directory rests after a listing that took so long.
func rest(now time.Time, took time.Duration) time.Time { return now.Add(min(took*listShare, maxRest)) }

// readQueued lists the drop zone when it changed, or when a priority did, or when the daemon says something else about what it holds. It reports whether
// anything may have changed.
func (d *Dir) readQueued(ctx context.Context, heldSum int64) (bool, error) {
	now := time.Now() // the cost of listing is measured, not shown
	if now.Before(d.queued.rest) {
		return false, nil
	}
	at, err := stampOf(filepath.Join(d.spool.Dir(), queue.DirQueued), now)
	if err != nil {
		return false, err
	}
	if prio, err := stampOf(filepath.Join(d.spool.Dir(), queue.DirOwn, "priorities"), now); err == nil { // an older daemon keeps none
		heldSum ^= prio.mtime
	}
	at.seq = heldSum
	if at == d.queued.stamp {
		return false, nil
	}
	var all []entry
	states := []queue.State{queue.Queued, queue.Waiting, queue.Ignored}
	for j, err := range d.spool.Jobs(ctx, queue.Filter{States: states, Limit: maxEntries}) {
		if err != nil {
			return false, err
		}
		all = append(all, entry{name: j.Name, reason: j.Reason, state: j.State, size: j.Size, at: nano(j.QueuedAt), priority: int8(j.Priority)})
	}
	d.queued = listing{at, all, rest(now, time.Since(now))}
	return true, nil
}

// readRunning reads the running jobs: there are as many as workers.
func (d *Dir) readRunning(ctx context.Context) error {
	d.running = d.running[:0]
	for j, err := range d.spool.Jobs(ctx, queue.Filter{States: []queue.State{queue.Running}}) {
		if err != nil {
			return err
		}
		d.running = append(d.running, j)
	}
	return nil
}

// readEnded lists the days on which jobs ended, each only when it changed.
func (d *Dir) readEnded() (bool, error) {
	changed := false
	seen := map[string]bool{}
	left := maxEntries
	for terminal, suffix := range suffixes {
		days, err := os.ReadDir(filepath.Join(d.spool.Dir(), terminal))
		if err != nil {
			return false, err
		}
		for _, day := range slices.Backward(days) {
			if _, err := time.Parse(time.DateOnly, day.Name()); err != nil || left <= 0 {
				continue
			}
			rel := filepath.Join(terminal, day.Name())
			seen[rel] = true
			read, err := d.readDay(rel, terminal, day.Name(), suffix)
			if err != nil {
				return false, err
			}
			changed = changed || read
			if l := d.ended[rel]; l != nil {
				left -= len(l.entries)
			}
		}
	}
	for rel := range d.ended {
		if !seen[rel] {
			delete(d.ended, rel)
			changed = true
		}
	}
	d.more = left <= 0
	return changed, nil
}

func (d *Dir) readDay(rel, terminal, day, suffix string) (bool, error) {
	now := time.Now() // the cost of listing is measured, not shown
	old := d.ended[rel]
	if old != nil && now.Before(old.rest) {
		return false, nil
	}
	dir := filepath.Join(d.spool.Dir(), rel)
	at, err := stampOf(dir, now)
	if errors.Is(err, fs.ErrNotExist) {
		delete(d.ended, rel)
		return true, nil
	}
	if err != nil || old != nil && old.stamp == at {
		return false, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return false, err
	}
	state := queue.Done
	if terminal == queue.DirFailed {
		state = queue.Failed
	}
	known := map[string]entry{}
	if old != nil {
		for _, e := range old.entries {
			known[e.name] = e
		}
	}
	var all []entry
	for _, n := range names {
		name, ok := strings.CutSuffix(n, suffix)
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		e, have := known[name]
		// A job that was retried may fail again under its old name: only what is some seconds old is surely the same.
		if !have || now.Sub(time.Unix(0, e.at)) < time.Minute || state == queue.Failed {
			st, err := os.Lstat(filepath.Join(dir, n))
			if err != nil {
				continue // it was retried or cleaned up meanwhile
			}
			e = entry{name: name, day: day, state: state, at: st.ModTime().UnixNano()}
		}
		all = append(all, e)
	}
	d.ended[rel] = &listing{at, all, rest(now, time.Since(now))}
	return true, nil
}
