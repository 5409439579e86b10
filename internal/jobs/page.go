package jobs

import (
	"cmp"
	"context"
	"slices"
	"sort"
	"strings"
	"time"

	"hyper2kvm/internal/queue"
)

// PageQuery says which part of which list a client wants.
type PageQuery struct {
	States   []queue.State // none = all
	Filter   string        // as in Query
	From, To string        // days YYYY-MM-DD of finished jobs, both included; "" = open; others are left out when one is given
	Order    Order
	Reverse  bool
	After    *Mark // the last row of the page before; nil = the first page
	Limit    int   // rows, at least 1
}

// Mark is the place of a row in a list: the fields that it is sorted by. It stays right while jobs come and go around it.
type Mark struct {
	Name  string      `json:"n"`
	Day   string      `json:"d,omitempty"`
	State queue.State `json:"s"`
	Size  int64       `json:"b,omitempty"`
	At    int64       `json:"t"`
	Prio  int8        `json:"p,omitempty"`
}

// Page is a part of a list.
type Page struct {
	Rows  []queue.Job // without their records
	Total int         // how many match, on all pages
	First int         // index of Rows[0] among them
	Next  *Mark       // nil on the last page
	Tabs  map[queue.State]int
	More  bool // there are older jobs than the index holds
}

// maxViews bounds the sorted lists that are remembered until something changes: those of a few clients at a time.
const maxViews = 16

type viewKey struct {
	states, filter, from, to string
	order                    Order
	reverse                  bool
}

// Page reads a part of a list. Only directories that changed are listed, and only rows of the answer are read in full.
func (d *Dir) Page(ctx context.Context, q PageQuery) (Page, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st, _, err := d.spool.Status()
	if err != nil {
		return Page{}, err
	}
	if err := d.refresh(ctx, st); err != nil {
		return Page{}, err
	}
	view := d.sorted(q)
	p := Page{Rows: []queue.Job{}, Total: len(view), Tabs: d.tabs, More: d.more}
	if q.After != nil {
		mark := entry{name: q.After.Name, day: q.After.Day, state: q.After.State, size: q.After.Size, at: q.After.At, priority: q.After.Prio}
		p.First = sort.Search(len(view), func(i int) bool { return q.compare(&d.all[view[i]], &mark) > 0 })
	}
	last := min(p.First+max(q.Limit, 1), len(view))
	for _, i := range view[p.First:last] {
		p.Rows = append(p.Rows, d.row(ctx, &d.all[i]))
	}
	if last < len(view) {
		e := &d.all[view[last-1]]
		p.Next = &Mark{Name: e.name, Day: e.day, State: e.state, Size: e.size, At: e.at, Prio: e.priority}
	}
	return p, ctx.Err()
}

// sorted are the indexes into all of what a query wants, in its order.
func (d *Dir) sorted(q PageQuery) []int32 {
	var states strings.Builder
	for _, s := range q.States {
		states.WriteString(string(s) + ",")
	}
	key := viewKey{states.String(), q.Filter, q.From, q.To, q.Order, q.Reverse}
	if view, ok := d.views[key]; ok {
		return view
	}
	f := parseFilter(q.Filter)
	view := []int32{}
	for i := range d.all {
		e := &d.all[i]
		switch {
		case len(q.States) > 0 && !slices.Contains(q.States, e.state), !f.matches(e):
		case (q.From != "" || q.To != "") && (e.day == "" || e.day < q.From || q.To != "" && e.day > q.To):
		default:
			view = append(view, int32(i))
		}
	}
	slices.SortFunc(view, func(a, b int32) int { return q.compare(&d.all[a], &d.all[b]) })
	if d.views == nil || len(d.views) >= maxViews {
		d.views = map[viewKey][]int32{}
	}
	d.views[key] = view
	return view
}

func (q PageQuery) compare(a, b *entry) int {
	c := cmp.Or(less(q.Order, a, b), rank[a.state]-rank[b.state])
	if q.Reverse {
		return -c
	}
	return c
}

// Beat is what changes from one look to the next.
type Beat struct {
	Status  queue.Status
	Live    queue.Liveness
	Tabs    map[queue.State]int
	Running []queue.Job
	Rate    float64     // of all running jobs, bytes per second
	Ended   []queue.Job // since the time that was asked for, oldest first, at most maxEndedAtOnce
	More    bool        // more ended than that
	Change  uint64      // differs from that of another Beat when the index does
}

// maxEndedAtOnce is how many ended jobs are told one by one.
const maxEndedAtOnce = 50

// Beat looks at the directory and says what runs and what ended after a moment. mark is for the next call.
func (d *Dir) Beat(ctx context.Context, after int64) (b Beat, mark int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b.Status, b.Live, err = d.spool.Status(); err != nil {
		return Beat{}, after, err
	}
	if err := d.refresh(ctx, b.Status); err != nil {
		return Beat{}, after, err
	}
	b.Tabs, b.Running, b.Change = d.tabs, slices.Clone(d.running), d.changes
	for _, j := range b.Running {
		if j.Progress != nil {
			b.Rate += max(j.Progress.BytesPerSec, 0)
		}
	}
	if b.Live != queue.LiveRunning {
		b.Status.Counts = d.counts
	}
	mark = after
	var ended []*entry
	for i := range d.all {
		if e := &d.all[i]; e.day != "" && e.at > after {
			ended = append(ended, e)
			mark = max(mark, e.at)
		}
	}
	slices.SortFunc(ended, func(a, b *entry) int { return cmp64(a.at, b.at) })
	if b.More = len(ended) > maxEndedAtOnce; b.More {
		ended = ended[len(ended)-maxEndedAtOnce:]
	}
	for _, e := range ended {
		b.Ended = append(b.Ended, d.finished(ctx, e))
	}
	return b, mark, ctx.Err()
}

// Span is how many jobs ended in a span of time.
type Span struct {
	From   time.Time `json:"from"`
	Done   int       `json:"done"`
	Failed int       `json:"failed"`
}

// History counts the jobs that ended in each of the last n spans of time, the oldest first.
func (d *Dir) History(ctx context.Context, now time.Time, step time.Duration, n int) ([]Span, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st, _, err := d.spool.Status()
	if err != nil {
		return nil, err
	}
	if err := d.refresh(ctx, st); err != nil {
		return nil, err
	}
	begin := now.Truncate(step).Add(-time.Duration(n-1) * step)
	spans := make([]Span, n)
	for i := range spans {
		spans[i].From = begin.Add(time.Duration(i) * step)
	}
	for i := range d.all {
		e := &d.all[i]
		if e.day == "" || e.at < begin.UnixNano() {
			continue
		}
		at := int((e.at - begin.UnixNano()) / int64(step))
		switch {
		case at >= n:
		case e.state == queue.Done:
			spans[at].Done++
		default:
			spans[at].Failed++
		}
	}
	return spans, nil
}

// Group is the failed jobs that have one code.
type Group struct {
	Code   string    `json:"code"` // "" for records that have none
	Count  int       `json:"count"`
	Newest queue.Job `json:"-"`
	IDs    []string  `json:"ids"` // newest first, at most maxGroupIDs
}

// Limits of Failures: how many failed jobs are read, and how many of a group are named.
const (
	maxFailuresRead = 5000
	maxGroupIDs     = 1000
)

// Failures groups the failed jobs of all days by code, the largest group first. more says that older ones were not read.
func (d *Dir) Failures(ctx context.Context) (groups []Group, more bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	st, _, err := d.spool.Status()
	if err != nil {
		return nil, false, err
	}
	if err := d.refresh(ctx, st); err != nil {
		return nil, false, err
	}
	at := map[string]int{}
	groups = []Group{}
	for _, i := range d.sorted(PageQuery{States: []queue.State{queue.Failed}, Order: ByAge, Reverse: true}) {
		e := &d.all[i]
		if len(d.codes) >= maxFailuresRead {
			if _, known := d.codes[codeKey{d.path(e), e.at}]; !known {
				more = true
				continue
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		f := d.failure(ctx, e)
		g, ok := at[f.Code]
		if !ok {
			g = len(groups)
			at[f.Code] = g
			groups = append(groups, Group{Code: f.Code, Newest: f})
		}
		groups[g].Count++
		if len(groups[g].IDs) < maxGroupIDs {
			groups[g].IDs = append(groups[g].IDs, cmp.Or(f.ID, f.Name))
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return cmp.Compare(b.Count, a.Count) })
	return groups, more, nil
}

// codeKey knows a failed job and its failure: a job that is retried and fails again has another time.
type codeKey struct {
	path string
	at   int64
}

// failure is what is remembered of a failed job for Failures.
func (d *Dir) failure(ctx context.Context, e *entry) queue.Job {
	key := codeKey{d.path(e), e.at}
	if j, ok := d.codes[key]; ok {
		return j
	}
	j := d.finished(ctx, e)
	if d.codes == nil {
		d.codes = map[codeKey]queue.Job{}
	}
	d.codes[key] = j
	return j
}
