package queue

import (
	"container/heap"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// The inbox's own times. Those that a user may want to change are in InboxOptions.
const (
	defaultSettle         = 2 * time.Second
	defaultTimedSettle    = 60 * time.Second
	defaultRescan         = 30 * time.Second
	defaultMissingTimeout = 24 * time.Hour

	tick         = time.Second            // of the small checks: is the tree still there, has a deferral ended
	changedScan  = 5 * time.Second        // between scans because the directory changed, while events arrive too
	pollScan     = 2 * time.Second        // the same without events
	recheck      = 10 * time.Second       // of entries for which the Intake said Wait or Hold
	busySlice    = 50 * time.Millisecond  // of work before requests are looked at again
	fewUnready   = 32                     // so many entries are looked at again every
	retryFew     = 100 * time.Millisecond // this
	someUnready  = 256                    // and so many every
	retrySome    = 250 * time.Millisecond // this
	retryPerMany = time.Millisecond       // beyond, this per entry
	retryMax     = 10 * time.Second
)

// InboxOptions are what a daemon decides about intake. The zero value has the product's defaults.
type InboxOptions struct {
	Settle         time.Duration          // how long a copied file must be left alone; 0 = 2 s, negative = none
	TimedSettle    time.Duration          // the same where leases do not work; 0 = 60 s
	Rescan         time.Duration          // between unconditional scans; 0 = 30 s
	MissingTimeout time.Duration          // how long an entry waits for a file that it names; 0 = 24 h
	Names          func(name string) bool // entries that may name others: what arrived with them waits until they can be read; nil = none
	ManifestMode   bool                   // lone disks (Need.Kind "disk") wait for a manifest that names them

	// Recall is called when a file that an entry names turns out to be running as a job of its own: return that job to the
	// queue (Claim.Requeue). It is called once for each job, from the inbox's goroutine, and must not wait.
	Recall func(id string)
	Clock  func() time.Time // nil = the spool's
	Log    *slog.Logger     // nil = the spool's

	// Listen has somebody else tell of changes in the drop zone: simulations lose what they like of it. nil = the kernel does.
	Listen func(dir string) (*Notifier, error)
}

// Inbox is the drop zone of a running daemon: it watches and scans it, finds out which entries are complete, what belongs
// together and what is next. Events are hints, the scan is the truth. One goroutine, Run, owns all of it.
type Inbox struct {
	s      *Spool
	intake Intake
	o      InboxOptions
	log    *slog.Logger
	clock  func() time.Time
	judge  readiness

	calls   chan func()
	hints   chan []string
	done    chan struct{} // Run has ended
	settled chan struct{}
	snap    atomic.Pointer[Snapshot]

	// Everything below belongs to Run.
	items     map[string]*item
	graph     *graph
	runnable  itemHeap // may hold entries that are not runnable any more
	unready   map[string]*item
	leads     map[string]*item    // those of unready that may name others
	awaiting  map[string]struct{} // entries that wait for leads
	held      map[string]*item    // waiting or ignored
	refusing  []*item
	splitting []*item
	dirty     map[string]struct{}
	counts    Counts
	waiters   []*waiter
	deferred  map[sourceKey]deferral
	recalled  map[string]bool
	paused    string
	drained   bool
	problems  []string
	stuck     []*Claim // of the inbox's own that could not be finished
	stuckAt   time.Time
	scanning  scanState
	watch     *watch
	isSettled bool

	othersByLease bool   // leases work on files of other users too
	heldSeen      uint64 // changes to held
	heldList      []Held
	heldAt        uint64
	heldMore      int
	heldTime      time.Time
}

// NewInbox makes the inbox of a started spool. Run brings it to life.
func (s *Spool) NewInbox(in Intake, o InboxOptions) (*Inbox, error) {
	if s.lock == nil {
		return nil, fmt.Errorf("%w: only the daemon has an inbox", ErrState)
	}
	if in == nil {
		return nil, fmt.Errorf("%w: an inbox needs an Intake", ErrState)
	}
	orDefault := func(d *time.Duration, def time.Duration) {
		if *d == 0 {
			*d = def
		}
		*d = max(*d, 0)
	}
	orDefault(&o.Settle, defaultSettle)
	orDefault(&o.TimedSettle, defaultTimedSettle)
	orDefault(&o.Rescan, defaultRescan)
	orDefault(&o.MissingTimeout, defaultMissingTimeout)
	i := &Inbox{
		s: s, intake: in, o: o, log: o.Log, clock: o.Clock,
		judge: readiness{dir: s.path(DirQueued), settle: o.Settle, timedSettle: o.TimedSettle, remote: remote(s.path(DirQueued)) != ""},
		calls: make(chan func()), hints: make(chan []string, 64), done: make(chan struct{}), settled: make(chan struct{}),
		items: map[string]*item{}, graph: newGraph(), unready: map[string]*item{}, leads: map[string]*item{}, awaiting: map[string]struct{}{}, held: map[string]*item{},
		dirty: map[string]struct{}{}, deferred: map[sourceKey]deferral{}, recalled: map[string]bool{}, othersByLease: mayLeaseOthers(),
	}
	if i.log == nil {
		i.log = s.log
	}
	if i.clock == nil {
		i.clock = s.clock
	}
	if i.o.Names == nil {
		i.o.Names = func(string) bool { return false }
	}
	if i.o.Recall == nil {
		i.o.Recall = func(string) {}
	}
	var err error
	if i.paused, err = s.pausedReason(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.hint = i.poke
	s.mu.Unlock()
	i.publish(i.clock())
	return i, nil
}

// poke tells the inbox which names to look at again; none means that a job ended. A full channel needs no more than the scan that
// follows anyway.
func (i *Inbox) poke(names ...string) {
	select {
	case i.hints <- names:
	default:
		select {
		case i.hints <- nil:
		default:
		}
	}
}

// Run watches the drop zone until the context ends. It must run for the other methods to do anything.
func (i *Inbox) Run(ctx context.Context) error {
	defer i.stop()
	i.watch = newWatch(i.s.path(DirQueued), i.log, i.o.Listen)
	defer i.watch.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-i.calls:
			f()
		case names := <-i.hints:
			i.hinted(names)
		case ev, ok := <-i.watch.events():
			i.watch.event(i, ev, ok)
		case err, ok := <-i.watch.errors():
			i.watch.failed(i, err, ok)
		case <-timer.C:
		}
		i.drain()
		timer.Reset(i.step(ctx))
	}
}

// drain takes what else is there without waiting, so that a burst of events costs one step.
func (i *Inbox) drain() {
	for range 1024 {
		select {
		case f := <-i.calls:
			f()
		case names := <-i.hints:
			i.hinted(names)
		case ev, ok := <-i.watch.events():
			i.watch.event(i, ev, ok)
		default:
			return
		}
	}
}

func (i *Inbox) hinted(names []string) {
	for _, name := range names {
		i.touch(name)
	}
	if len(names) == 0 {
		i.scanning.asked = rescanJob
	}
}

// step does what is due and says how long nothing will be.
func (i *Inbox) step(ctx context.Context) time.Duration {
	now := i.clock()
	i.tick(now)
	if trigger := i.scanDue(now); trigger != "" {
		i.s.traffic.count(TallyRescans, trigger)
		i.scan(now)
	}
	end := time.Now().Add(busySlice)
	more, small := i.lookAtUnready(ctx, now, end)
	more = i.settleStandings(ctx, now, end) || more
	more = i.serve(ctx, now, small) || more
	i.checkSettled(now, more)
	i.publish(now)
	if more {
		return 0
	}
	return i.idleFor(now)
}

// idleFor is the time until the next thing is due.
func (i *Inbox) idleFor(now time.Time) time.Duration {
	d := tick
	for _, it := range i.unready {
		d = min(d, it.due.Sub(now))
		if d <= 0 {
			break
		}
	}
	return max(d, time.Millisecond)
}

// stop answers everybody who still waits.
func (i *Inbox) stop() {
	i.s.mu.Lock()
	i.s.hint = func(...string) {}
	i.s.mu.Unlock()
	close(i.done)
	for _, w := range i.waiters {
		w.reply <- claimed{err: ErrClosed}
	}
	i.waiters = nil
}

// call runs f in the inbox's goroutine and waits for it. It says false when the inbox has ended.
func (i *Inbox) call(f func()) bool {
	ran := make(chan struct{})
	select {
	case i.calls <- func() { f(); close(ran) }:
		<-ran
		return true
	case <-i.done:
		return false
	}
}

// itemHeap orders runnable entries: the next to be claimed is first.
type itemHeap []*item

func (h itemHeap) Len() int           { return len(h) }
func (h itemHeap) Less(a, b int) bool { return h[a].comesBefore(h[b]) }
func (h itemHeap) Swap(a, b int) {
	h[a], h[b] = h[b], h[a]
	h[a].place, h[b].place = a, b
}

func (h *itemHeap) Push(x any) {
	it := x.(*item)
	it.place = len(*h)
	*h = append(*h, it)
}

func (h *itemHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = slices.Delete(*h, len(*h)-1, len(*h))
	return last
}

// fix puts an entry, which must be on the heap, where it belongs by now.
func (h *itemHeap) fix(it *item) { heap.Fix(h, it.place) }

var _ heap.Interface = (*itemHeap)(nil)
