package queue

import (
	"slices"
	"strings"
	"sync"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// The ways by which entries come into the drop zone, as Tally has them.
const (
	ViaDrop  = "drop"  // copied or moved there, or nothing is known of it
	ViaCLI   = "cli"   // hyperctl
	ViaAPI   = "api"   // hyperctl serve
	ViaBatch = "batch" // the daemon made it out of a batch
	ViaRetry = "retry" // the daemon put it back when it was asked to
)

// Why the drop zone was read as a whole, as Tally has it.
const (
	rescanStart    = "start"
	rescanTimer    = "timer"
	rescanChanged  = "changed"  // the directory says so, and no event did
	rescanOverflow = "overflow" // the kernel threw events away
	rescanWatch    = "watch"    // the watch was lost, or is a new one
	rescanJob      = "job"      // a job ended
	rescanSettle   = "settle"   // to be sure that nothing is left
)

// traffic counts what the queue itself sees. Every count that is known beforehand begins with 0, so that the first event is seen as an
// increase.
type traffic struct {
	mu      sync.Mutex
	n       map[[2]string]float64  // by kind and word
	retried map[sourceKey]struct{} // put back by the daemon, and not claimed since
}

func newTraffic() *traffic {
	t := &traffic{n: map[[2]string]float64{}, retried: map[sourceKey]struct{}{}}
	for kind, words := range map[string][]string{
		TallySubmitted:   {ViaDrop, ViaCLI, ViaAPI, ViaBatch, ViaRetry},
		TallyWatchEvents: {"create", "write", "remove", "rename", "chmod"},
		TallyOverflows:   {""},
		TallyRescans:     {rescanStart, rescanTimer, rescanChanged, rescanOverflow, rescanWatch, rescanJob, rescanSettle},
	} {
		for _, word := range words {
			t.n[[2]string{kind, word}] = 0
		}
	}
	return t
}

func (t *traffic) count(kind, word string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n[[2]string{kind, word}]++
}

// event counts what the kernel told of the drop zone.
func (t *traffic) event(op fsnotify.Op) {
	for _, o := range []fsnotify.Op{fsnotify.Create, fsnotify.Write, fsnotify.Remove, fsnotify.Rename, fsnotify.Chmod} {
		if op.Has(o) {
			t.count(TallyWatchEvents, strings.ToLower(o.String()))
		}
	}
}

// maxRetried bounds what is remembered of retries whose entries are not claimed: it is for counting only.
const maxRetried = 10_000

// retry remembers that an entry comes from a retry.
func (t *traffic) retry(k sourceKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.retried) < maxRetried {
		t.retried[k] = struct{}{}
	}
}

// claimed counts a job that is claimed for the first time.
func (t *traffic) claimed(k sourceKey, via string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.retried[k]; ok {
		delete(t.retried, k)
		via = ViaRetry
	}
	t.n[[2]string{TallySubmitted, via}]++
}

// Tallies is what the queue has counted since the daemon started.
func (s *Spool) Tallies() []Tally {
	s.traffic.mu.Lock()
	defer s.traffic.mu.Unlock()
	all := make([]Tally, 0, len(s.traffic.n))
	for key, n := range s.traffic.n {
		t := Tally{Kind: key[0], Sum: n}
		if key[1] != "" {
			t.Of = []string{key[1]}
		}
		all = append(all, t)
	}
	slices.SortFunc(all, compareTallies)
	return all
}

// viaAttr is the extended attribute by which a client says how an entry was submitted. It is for counting alone: nothing is allowed or
// refused by it, and where the file system has none, the entry counts as dropped.
const viaAttr = "user.hyper2kvm.via"

// setVia notes on something that a client made how it is submitted. No submission fails because it cannot be counted.
func setVia(path, via string) { _ = unix.Lsetxattr(path, viaAttr, []byte(via), 0) }

// viaOf is how an entry was submitted, as far as its owner tells.
func viaOf(path string) string {
	var b [16]byte
	n, err := unix.Lgetxattr(path, viaAttr, b[:])
	if err != nil {
		return ViaDrop
	}
	if via := string(b[:n]); via == ViaCLI || via == ViaAPI {
		return via
	}
	return ViaDrop
}
