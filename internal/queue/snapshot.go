package queue

import (
	"cmp"
	"slices"
	"time"
)

// Snapshot is the state of the inbox at one moment.
type Snapshot struct {
	Counts    Counts // Running and the daily numbers are the spool's; see Count
	Held      []Held // waiting and ignored entries, longest first, at most MaxHeldPublished
	HeldMore  int    // entries beyond
	Readiness string // lease or timed
	Watching  string // inotify or polling
	LastScan  time.Time
	Paused    string // why nothing is claimed; "" when it is
	Draining  bool
	Problems  []string // why nothing can be claimed: the tree is not there, the disk is full
	Claimable int      // entries that could be claimed now
	Settled   bool
}

// heldEvery bounds how often a long list of held entries is sorted anew.
const heldEvery = time.Second

// Snapshot is what the inbox knew after its last step. It never waits.
func (i *Inbox) Snapshot() Snapshot { return *i.snap.Load() }

func (i *Inbox) publish(now time.Time) {
	s := Snapshot{
		Counts: i.counts, Readiness: "lease", Watching: "inotify", LastScan: i.scanning.last, Paused: i.paused,
		Draining: i.drained, Problems: i.problems, Claimable: i.counts.Queued, Settled: i.isSettled,
	}
	s.Counts.Running = len(i.s.Live())
	if i.judge.remote || !i.othersByLease {
		s.Readiness = "timed"
	}
	if i.watch == nil || !i.watch.alive() {
		s.Watching = "polling"
	}
	if i.heldAt != i.heldSeen && (len(i.held) <= MaxHeldPublished || now.Sub(i.heldTime) >= heldEvery) {
		i.heldAt, i.heldTime = i.heldSeen, now
		i.heldList, i.heldMore = i.listHeld()
	}
	s.Held, s.HeldMore = i.heldList, i.heldMore
	i.snap.Store(&s)
}

func (i *Inbox) listHeld() ([]Held, int) {
	all := make([]Held, 0, len(i.held))
	for _, it := range i.held {
		all = append(all, Held{Name: it.name, State: it.counted, Reason: it.reason, Since: it.since})
	}
	slices.SortFunc(all, func(a, b Held) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Name, b.Name))
	})
	if len(all) <= MaxHeldPublished {
		return all, 0
	}
	return slices.Clone(all[:MaxHeldPublished]), len(all) - MaxHeldPublished
}
