package queue

import (
	"container/heap"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"
)

// standing is what an entry of the drop zone is waiting for.
type standing int

const (
	standNew      standing = iota // not looked at yet
	standUnready                  // somebody may still be writing it
	standIgnored                  // not a job
	standReady                    // complete; what it needs is not decided yet
	standPassive                  // complete, but no job by itself; may still be taken along by what names it
	standBlocked                  // complete, but something else has to happen first
	standRunnable                 // can be claimed
	standRefused                  // will fail as soon as it is claimed
)

// item is one name in the drop zone.
type item struct {
	name     string
	standing standing
	counted  State // as which it is in the counts
	reason   string
	since    time.Time // of the standing and its reason
	arrived  time.Time // when it was first seen
	due      time.Time // of the next look, while unready
	size     int64     // when it was first seen
	settling bool      // it will be ready by itself
	timed    bool      // judged by time
	seen     sighting
	queuedAt time.Time // orders the claims
	need     Need
	examined time.Time
	released bool
	missing  map[string]time.Time // named files that are not there, since when
	lost     map[string]taker     // named files that another job took
	refuse   map[string]any       // fields of error.json
	priority int
	inHeap   bool
	place    int // on the heap
}

// taker is a job that has a file which another entry names.
type taker struct {
	name  string // original
	entry string // in processing/
}

func (it *item) before(other *item) bool {
	if !it.queuedAt.Equal(other.queuedAt) {
		return it.queuedAt.Before(other.queuedAt)
	}
	return it.name < other.name
}

// complete says whether nobody writes the entry any more, so that it can be claimed or taken along.
func (it *item) complete() bool { return it.standing >= standReady }

// entry is what the Intake and the Claim see.
func (i *Inbox) entry(it *item) Entry {
	e := Entry{
		Name: it.name, Path: filepath.Join(i.judge.dir, it.name), Dir: it.seen.look.dir,
		Identity: it.seen.look.id, Files: it.seen.look.files,
	}
	if o, ok := i.s.origin(e.Identity, e.Identity.UID); ok {
		e.Identity.UID = o.Submitter
	}
	return e
}

// touch makes an entry be looked at anew: it appeared, changed, or is rumoured to have.
func (i *Inbox) touch(name string) {
	if hidden(name) {
		return
	}
	it := i.items[name]
	if it == nil {
		it = &item{name: name, since: i.clock(), arrived: i.clock()}
		if st, err := lstat(filepath.Join(i.judge.dir, name)); err == nil && isPlain(st.Mode) {
			it.size = st.Size
		}
		i.items[name] = it
	}
	i.look(it)
}

// look puts an entry on the list of those to look at. Its standing holds until then.
func (i *Inbox) look(it *item) {
	it.due = time.Time{}
	i.unready[it.name] = it
	if i.o.Names(it.name) {
		i.leads[it.name] = it
	}
}

// looked takes an entry off the list of those to look at.
func (i *Inbox) looked(it *item) {
	delete(i.unready, it.name)
	if i.leads[it.name] == nil {
		return
	}
	delete(i.leads, it.name)
	i.dirty[it.name] = struct{}{}
	i.askAwaiting()
}

// askAwaiting decides anew about the entries that wait for leads.
func (i *Inbox) askAwaiting() {
	for name := range i.awaiting {
		i.dirty[name] = struct{}{}
	}
	clear(i.awaiting)
}

// leadWait is how long, beyond the settle time, an entry waits for one that arrives with it and may name it. A document is small: one
// that takes longer is being edited, and what it names is called back when it is complete.
const leadWait = 3 * time.Second

// arriving is an entry that is not readable yet and may name it, "" when there is none.
func (i *Inbox) arriving(it *item, now time.Time) string {
	if i.o.Names(it.name) {
		return ""
	}
	for name, lead := range i.leads {
		if now.Sub(lead.arrived) < i.o.Settle+leadWait {
			i.awaiting[it.name] = struct{}{}
			return name
		}
	}
	return ""
}

// smallEntry is the size below which an entry may be a document that names others.
const smallEntry = 1 << 20

// lookAtUnready looks at the entries that are due, small ones first: what names others is a document, and should be known before
// what it names starts. It says whether there are more, and whether there are small ones among them.
func (i *Inbox) lookAtUnready(ctx context.Context, now, end time.Time) (more, small bool) {
	var rest []*item
	for _, it := range i.unready {
		switch {
		case it.due.After(now):
		case len(i.unready) > 1 && it.size >= smallEntry:
			rest = append(rest, it)
		case time.Now().After(end):
			return true, true
		default:
			i.lookAt(ctx, it, now)
		}
	}
	for _, it := range rest {
		if time.Now().After(end) {
			return true, false
		}
		i.lookAt(ctx, it, now)
	}
	return false, false
}

func (i *Inbox) lookAt(ctx context.Context, it *item, now time.Time) {
	if why := ignoredName(it.name); why != "" {
		i.looked(it)
		if _, err := lstat(filepath.Join(i.judge.dir, it.name)); errors.Is(err, fs.ErrNotExist) {
			i.remove(it)
			return
		}
		i.stand(it, standIgnored, why, now)
		return
	}
	v := i.judge.judge(it.name, it.seen, now)
	if v.gone {
		i.remove(it)
		return
	}
	defer i.reprioritise(it)
	if it.complete() && v.ready && unchanged(it.seen.look, v.look) {
		i.looked(it) // a rumour
		return
	}
	if it.seen.since.IsZero() || !unchanged(it.seen.look, v.look) {
		it.seen = sighting{look: v.look, since: now}
		it.released, it.need, it.examined = false, Need{}, time.Time{}
		it.missing, it.lost, it.refuse = nil, nil, nil
		i.graph.set(it.name, nil)
		it.queuedAt = i.queuedAt(v.look.id)
	}
	it.timed = v.timed
	switch {
	case v.ignored:
		i.looked(it)
		i.stand(it, standIgnored, v.reason, now)
	case !v.ready:
		it.settling = v.settling > 0
		it.due = now.Add(i.retryAfter(v.settling))
		i.stand(it, standUnready, v.reason, now)
	default:
		i.looked(it)
		it.settling = false
		i.examine(ctx, it, now)
	}
}

// queuedAt is when an entry arrived. One that a job gave back keeps its place.
func (i *Inbox) queuedAt(id Identity) time.Time {
	i.s.mu.Lock()
	defer i.s.mu.Unlock()
	if r, ok := i.s.returned[keyOf(id)]; ok {
		return r.QueuedAt
	}
	return time.Unix(0, id.CtimeNS)
}

// retryAfter is when to look again: soon while few entries are unready, and when a settling one will have settled.
func (i *Inbox) retryAfter(settling time.Duration) time.Duration {
	if settling > 0 {
		return settling
	}
	switch n := len(i.unready); {
	case n <= fewUnready:
		return retryFew
	case n <= someUnready:
		return retrySome
	default:
		return min(time.Duration(n)*retryPerMany, retryMax)
	}
}

// examine asks the Intake what a complete entry is.
func (i *Inbox) examine(ctx context.Context, it *item, now time.Time) {
	var need Need
	var err error
	if bad := checkName(it.name); bad != nil {
		need = Need{Kind: "file", Refuse: map[string]any{"code": codeName, "error": bad.Error(), "retryable": false,
			"hint": "rename it and put it into " + DirQueued + " again"}}
	} else {
		need, err = i.intake.Examine(ctx, i.entry(it))
	}
	if err != nil {
		if ctx.Err() != nil {
			i.look(it)
			return
		}
		need = Need{Wait: "cannot be examined: " + err.Error()}
	}
	it.examined, it.need = now, need
	members := need.Members
	if it.seen.look.dir {
		members = nil
	}
	before := i.graph.near(it.name)
	i.graph.set(it.name, members)
	if !it.complete() {
		i.stand(it, standReady, "", now)
	}
	for _, name := range before {
		i.dirty[name] = struct{}{}
	}
	i.changed(it.name)
}

// changed has everything that depends on a name decided again.
func (i *Inbox) changed(name string) {
	for _, n := range i.graph.near(name) {
		if it := i.items[n]; it != nil && it.complete() {
			i.dirty[n] = struct{}{}
		}
	}
}

// remove forgets an entry that is not in the drop zone any more.
func (i *Inbox) remove(it *item) {
	i.stand(it, standNew, "", time.Time{})
	delete(i.items, it.name)
	i.looked(it)
	near := i.graph.near(it.name)
	i.graph.set(it.name, nil)
	for _, n := range near {
		if other := i.items[n]; other != nil && other.complete() {
			i.dirty[n] = struct{}{}
		}
	}
}

// stand changes what an entry waits for, and keeps the counts.
func (i *Inbox) stand(it *item, st standing, reason string, now time.Time) {
	wasComplete := it.complete()
	if it.standing != st || it.reason != reason {
		it.since = now
		i.heldSeen++
	}
	it.standing, it.reason = st, reason
	state := stateOf(st)
	if it.counted != state {
		i.count(it.counted, -1)
		i.count(state, 1)
		it.counted = state
	}
	if state == Waiting || state == Ignored {
		i.held[it.name] = it
	} else {
		delete(i.held, it.name)
	}
	if st == standRunnable && !it.inHeap && len(it.need.Parts) == 0 {
		it.inHeap = true
		heap.Push(&i.runnable, it)
	}
	if wasComplete && !it.complete() {
		i.changed(it.name)
	}
}

func stateOf(st standing) State {
	switch st {
	case standUnready, standBlocked:
		return Waiting
	case standIgnored, standPassive:
		return Ignored
	case standReady, standRunnable, standRefused:
		return Queued
	}
	return ""
}

func (i *Inbox) count(s State, by int) {
	switch s {
	case Queued:
		i.counts.Queued += by
	case Waiting:
		i.counts.Waiting += by
	case Ignored:
		i.counts.Ignored += by
	}
}
