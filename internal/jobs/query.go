package jobs

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"hyper2kvm/internal/queue"
)

// Ref says which job is meant, while it moves from state to state.
type Ref struct {
	Path string // of the entry
	ID   string // "" until it is claimed
	Name string
}

// RefOf is the reference to a job.
func RefOf(j queue.Job) Ref { return Ref{Path: j.Path, ID: j.ID, Name: j.Name} }

// Key is what the daemon is asked with.
func (r Ref) Key() string {
	if r.ID != "" {
		return r.ID
	}
	return r.Name
}

// Order is what a list is sorted by.
type Order string

// The orders. ByState is running, failed, waiting, queued, done, ignored; in each the one that matters next comes first.
const (
	ByState Order = "state"
	ByName  Order = "name"
	ByAge   Order = "age"
	BySize  Order = "size"
)

// Orders are all orders, as s goes through them.
var Orders = []Order{ByState, ByName, ByAge, BySize}

// Query says which jobs a screen wants.
type Query struct {
	States  []queue.State // none = all
	Filter  string        // words that all must hold: text, !text, state:failed, !state:done
	Order   Order
	Reverse bool
	Cursor  Ref // the row that the cursor is on; the zero Ref means Index
	Index   int // wanted row, where Cursor is not given or not there any more
	Rows    int // how many rows on each side of the cursor
}

// Screen is what was found.
type Screen struct {
	Dir    string
	Status queue.Status
	Live   queue.Liveness
	Paused string // why nothing is claimed; "" when it is
	Counts queue.Counts
	Tabs   map[queue.State]int // all jobs in the index
	Rate   float64             // of all running jobs, bytes per second
	Left   int64               // bytes that running and queued jobs still have to read
	Queued int64               // bytes of the queued jobs alone
	Vague  bool                // Left and Queued are too small: the sizes of some are not known
	More   bool                // there are older jobs than the index holds
	Rows   []queue.Job         // around the cursor
	First  int                 // index of Rows[0] among those that match
	Total  int                 // how many match
	Cursor int                 // index of the cursor
	Ended  []queue.Job         // the newest that ended, newest first
}

// entry is one job in the index: only what sorting and filtering needs.
type entry struct {
	name, day string
	reason    string
	id        string
	state     queue.State
	size      int64
	at        int64 // since when it is in this state, ns since 1970; for the age
	priority  int8  // of one that is queued or waits; 0 = normal
}

// filter is a parsed Query.Filter.
type filter struct {
	words []word
}

type word struct {
	not   bool
	state bool
	text  string
}

func parseFilter(s string) filter {
	var f filter
	for part := range strings.FieldsSeq(strings.ToLower(s)) {
		w := word{}
		part, w.not = strings.CutPrefix(part, "!")
		part, w.state = strings.CutPrefix(part, "state:")
		if w.text = part; part != "" {
			f.words = append(f.words, w)
		}
	}
	return f
}

func (f filter) matches(e *entry) bool {
	for _, w := range f.words {
		has := false
		switch {
		case w.state:
			has = strings.HasPrefix(string(e.state), w.text)
		default:
			has = strings.Contains(strings.ToLower(e.name), w.text) || e.id != "" && strings.EqualFold(e.id, w.text)
		}
		if has == w.not {
			return false
		}
	}
	return true
}

var rank = map[queue.State]int{queue.Running: 0, queue.Failed: 1, queue.Waiting: 2, queue.Queued: 3, queue.Done: 4, queue.Ignored: 5}

// less says whether a stands before b.
func less(order Order, a, b *entry) int {
	switch order {
	case ByName:
	case ByAge:
		if a.at != b.at {
			return cmp64(a.at, b.at)
		}
	case BySize:
		if a.size != b.size {
			return cmp64(b.size, a.size)
		}
	default:
		if a.state != b.state {
			return rank[a.state] - rank[b.state]
		}
		if a.state == queue.Queued && a.priority != b.priority {
			return cmp.Or(int(b.priority), queue.PriorityNormal) - cmp.Or(int(a.priority), queue.PriorityNormal)
		}
		if a.at != b.at {
			if a.state == queue.Done || a.state == queue.Failed {
				return cmp64(b.at, a.at)
			}
			return cmp64(a.at, b.at)
		}
	}
	if c := strings.Compare(a.name, b.name); c != 0 {
		return c
	}
	return strings.Compare(b.day, a.day)
}

func cmp64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (q Query) wants(s queue.State) bool { return len(q.States) == 0 || slices.Contains(q.States, s) }

// sameView says whether two queries choose the same jobs in the same order.
func sameView(a, b Query) bool {
	return slices.Equal(a.States, b.States) && a.Filter == b.Filter && a.Order == b.Order && a.Reverse == b.Reverse
}

func nano(t *time.Time) int64 {
	if t == nil || t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
