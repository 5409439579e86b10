package jobs

import (
	"context"
	"hash/maphash"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"hyper2kvm/internal/queue"
)

// maxRecords bounds the records that are remembered: many screens full.
const maxRecords = 512

// Dir is a workflow directory that is looked at again and again. Its methods are safe for concurrent use, one Look at a time.
type Dir struct {
	spool *queue.Spool
	user  string // for the daemon's log
	seed  maphash.Seed

	mu         sync.Mutex
	queued     listing
	ended      map[string]*listing // by directory
	running    []queue.Job
	more       bool
	dirty      bool // all does not hold what was read last
	gatherRest time.Time
	all        []entry // of everything, made anew when something changed
	tabs       map[queue.State]int
	counts     queue.Counts
	left       int64 // of the queued ones
	vague      bool
	view       []int32 // indexes into all: what matches viewed, in its order
	viewed     Query
	fresh      bool // view fits all
	records    map[string]record

	views   map[viewKey][]int32 // as view, for the pages of other clients
	changes uint64              // how often all was made anew
	codes   map[codeKey]queue.Job
	paths   map[string]string // of finished jobs that were read, by id
}

type record struct {
	at  int64
	job queue.Job
}

// NewDir looks at a spool. user is who asks the daemon for something.
func NewDir(spool *queue.Spool, user string) *Dir {
	return &Dir{spool: spool, user: user, seed: maphash.MakeSeed(), ended: map[string]*listing{}, records: map[string]record{}}
}

// Look reads what a screen shows. Only directories that changed are listed, and only rows of the answer are read in full.
func (d *Dir) Look(ctx context.Context, q Query) (Screen, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := Screen{Dir: d.spool.Dir()}
	var err error
	if s.Status, s.Live, err = d.spool.Status(); err != nil {
		return Screen{}, err
	}
	if err := d.refresh(ctx, s.Status); err != nil {
		return Screen{}, err
	}
	s.Counts = s.Status.Counts
	if s.Live != queue.LiveRunning {
		s.Counts = d.counts // nobody else counts
	}
	if s.Live == queue.LiveRunning && s.Status.State == "paused" {
		s.Paused = strings.Join(append([]string{"paused"}, s.Status.Reasons...), ": ")
	}
	s.Tabs, s.More = d.tabs, d.more
	d.measure(&s)
	if !d.fresh || !sameView(q, d.viewed) {
		d.sort(q)
	}
	d.window(ctx, q, &s)
	s.Ended = d.lastEnded(ctx, 3)
	return s, nil
}

// heldSum changes when what the daemon says about held entries changes.
func (d *Dir) heldSum(held []queue.Held) int64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	for _, e := range held {
		h.WriteString(e.Name)
		h.WriteString(string(e.State))
		h.WriteString(e.Reason)
	}
	return int64(h.Sum64())
}

func (d *Dir) refresh(ctx context.Context, st queue.Status) error {
	was := slices.Clone(d.running)
	if err := d.readRunning(ctx); err != nil {
		return err
	}
	queued, err := d.readQueued(ctx, d.heldSum(st.Held))
	if err != nil {
		return err
	}
	ended, err := d.readEnded()
	if err != nil {
		return err
	}
	same := slices.EqualFunc(was, d.running, func(a, b queue.Job) bool { return a.ID == b.ID })
	d.dirty = d.dirty || queued || ended || !same
	if now := time.Now(); d.dirty && now.After(d.gatherRest) || d.all == nil {
		d.gather()
		d.gatherRest, d.dirty = now.Add(min(time.Since(now)*gatherShare, maxRest)), false
	}
	return nil
}

// gatherShare is how much of the time may go into making the index anew, which each job that starts or ends asks for.
const gatherShare = 20

// gather makes the index anew. A job that was claimed since the drop zone was listed is in the running ones already.
func (d *Dir) gather() {
	claimed := map[string]bool{}
	all := make([]entry, 0, len(d.all)+16)
	for _, j := range d.running {
		claimed[j.Name], claimed[j.OriginalName] = true, true
		at := nano(j.StartedAt)
		if at == 0 {
			at = nano(j.QueuedAt)
		}
		all = append(all, entry{name: j.Name, id: j.ID, state: queue.Running, size: j.Size, at: at})
	}
	d.left, d.vague = 0, false
	for _, e := range d.queued.entries {
		if claimed[e.name] {
			continue
		}
		if e.state == queue.Queued {
			d.left += e.size
			d.vague = d.vague || e.size == 0
		}
		all = append(all, e)
	}
	for _, l := range d.ended {
		all = append(all, l.entries...)
	}
	d.tabs = map[queue.State]int{}
	today, ended := time.Now().Format(time.DateOnly), map[queue.State]int{}
	for i := range all {
		d.tabs[all[i].state]++
		if all[i].day == today {
			ended[all[i].state]++
		}
	}
	d.counts = queue.Counts{
		Queued: d.tabs[queue.Queued], Waiting: d.tabs[queue.Waiting], Ignored: d.tabs[queue.Ignored], Running: d.tabs[queue.Running],
		DoneToday: ended[queue.Done], FailedToday: ended[queue.Failed],
	}
	d.all, d.fresh = all, false
	d.views = nil
	d.changes++
	if len(d.codes) > maxFailuresRead/2 { // many may be of jobs that were retried or cleaned up
		clear(d.codes)
	}
}

// measure sums up what the running jobs do and what is left to do.
func (d *Dir) measure(s *Screen) {
	s.Left, s.Queued, s.Vague = d.left, d.left, d.vague
	for _, j := range d.running {
		p := j.Progress
		if p == nil {
			s.Vague = true
			continue
		}
		s.Rate += max(p.BytesPerSec, 0)
		s.Left += max(p.BytesTotal-p.BytesDone, 0)
	}
}

// sort makes the list that a query wants.
func (d *Dir) sort(q Query) {
	f := parseFilter(q.Filter)
	view := d.view[:0]
	for i := range d.all {
		if e := &d.all[i]; q.wants(e.state) && f.matches(e) {
			view = append(view, int32(i))
		}
	}
	slices.SortFunc(view, func(a, b int32) int {
		c := less(q.Order, &d.all[a], &d.all[b])
		if q.Reverse {
			return -c
		}
		return c
	})
	d.view, d.viewed, d.fresh = view, q, true
}

// window reads the rows around the cursor.
func (d *Dir) window(ctx context.Context, q Query, s *Screen) {
	s.Total = len(d.view)
	s.Cursor = min(max(q.Index, 0), max(s.Total-1, 0))
	if q.Cursor != (Ref{}) {
		if i := d.find(q.Cursor, s.Cursor); i >= 0 {
			s.Cursor = i
		}
	}
	s.First = max(s.Cursor-q.Rows, 0)
	for _, i := range d.view[s.First:min(s.Cursor+q.Rows+1, s.Total)] {
		s.Rows = append(s.Rows, d.row(ctx, &d.all[i]))
	}
}

// find finds the row of a job: the same entry, or the same job in another state. The guess is looked at first.
func (d *Dir) find(r Ref, guess int) int {
	exact := func(i int) bool {
		e := &d.all[d.view[i]]
		return e.name == filepath.Base(r.Path) && d.path(e) == r.Path
	}
	if guess < len(d.view) && exact(guess) {
		return guess
	}
	moved := -1
	for i := range d.view {
		if e := &d.all[d.view[i]]; e.name == r.Name || r.ID != "" && e.id == r.ID {
			if exact(i) {
				return i
			}
			moved = i
		}
	}
	return moved
}

func (d *Dir) path(e *entry) string {
	switch e.state {
	case queue.Running:
		return filepath.Join(d.spool.Dir(), queue.DirRunning, e.name)
	case queue.Done:
		return filepath.Join(d.spool.Dir(), queue.DirDone, e.day, e.name)
	case queue.Failed:
		return filepath.Join(d.spool.Dir(), queue.DirFailed, e.day, e.name)
	}
	return filepath.Join(d.spool.Dir(), queue.DirQueued, e.name)
}

// row is a job as the list shows it. Its whole record is left out.
func (d *Dir) row(ctx context.Context, e *entry) queue.Job {
	switch e.state {
	case queue.Running:
		for _, j := range d.running {
			if j.ID == e.id {
				return j
			}
		}
	case queue.Done, queue.Failed:
		return d.finished(ctx, e)
	}
	at := time.Unix(0, e.at)
	return queue.Job{ID: e.id, Name: e.name, OriginalName: e.name, State: e.state, Reason: e.reason, Path: d.path(e), Size: e.size, QueuedAt: &at, Priority: int(e.priority)}
}

func (d *Dir) finished(ctx context.Context, e *entry) queue.Job {
	path := d.path(e)
	if r, ok := d.records[path]; ok && r.at == e.at {
		return r.job
	}
	at := time.Unix(0, e.at)
	j, err := d.spool.Find(ctx, path)
	if err != nil {
		return queue.Job{Name: e.name, OriginalName: e.name, State: e.state, Reason: err.Error(), Path: path, Date: e.day, FinishedAt: &at}
	}
	if j.FinishedAt == nil {
		j.FinishedAt = &at
	}
	j.Record = nil
	if len(d.records) >= maxRecords {
		clear(d.records)
	}
	d.records[path] = record{e.at, j}
	d.learn(j)
	return j
}

// lastEnded are the jobs that ended last.
func (d *Dir) lastEnded(ctx context.Context, n int) []queue.Job {
	var last []*entry
	for i := range d.all {
		e := &d.all[i]
		if e.state != queue.Done && e.state != queue.Failed || len(last) == n && last[n-1].at >= e.at {
			continue
		}
		at, _ := slices.BinarySearchFunc(last, e, func(a, b *entry) int { return cmp64(b.at, a.at) })
		last = slices.Insert(last, at, e)
		last = last[:min(len(last), n)]
	}
	var out []queue.Job
	for _, e := range last {
		out = append(out, d.finished(ctx, e))
	}
	return out
}

// Root is the workflow directory.
func (d *Dir) Root() string { return d.spool.Dir() }
