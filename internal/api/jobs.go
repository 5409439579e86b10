package api

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
)

// statusWords are the values of ?status=: the queue's own words, and those that existing clients use.
var statusWords = map[string][]queue.State{
	"queued": {queue.Queued}, "waiting": {queue.Waiting}, "ignored": {queue.Ignored}, "running": {queue.Running}, "done": {queue.Done},
	"failed": {queue.Failed}, "pending": {queue.Queued, queue.Waiting}, "active": {queue.Running}, "processing": {queue.Running},
	"completed": {queue.Done}, "processed": {queue.Done},
}

// sorts are the values of ?sort=; a dash before one turns it around.
var sorts = map[string]jobs.Order{"state": jobs.ByState, "name": jobs.ByName, "time": jobs.ByAge, "size": jobs.BySize}

// Limits of a page.
const (
	defaultLimit = 100
	maxLimit     = 500
	maxQuery     = 200 // bytes of ?q=
)

// listDoc is a list of jobs.
type listDoc struct {
	Jobs  []jobDoc            `json:"jobs"`
	Total int                 `json:"total"` // on all pages
	First int                 `json:"first"` // index of the first of these among them
	Next  string              `json:"next,omitempty"`
	Tabs  map[queue.State]int `json:"counts,omitzero"` // of all jobs there are
	More  bool                `json:"more,omitempty"`  // there are older jobs than the server keeps in mind
}

// place is what a cursor holds: the sorting that it is of, and the last row.
type place struct {
	Sort string `json:"o"`
	jobs.Mark
}

// jobs lists jobs by page.
func (s *Server) jobs(w http.ResponseWriter, r *http.Request) error {
	q, sort, err := pageQuery(r.URL.Query(), s.o.Now())
	if err != nil {
		return err
	}
	ctx, cancel := within(r, readTime)
	defer cancel()
	page, err := s.dir.Page(ctx, q)
	if err != nil {
		return err
	}
	d := listDoc{Jobs: newJobDocs(page.Rows, s.o.Now()), Total: page.Total, First: page.First, Tabs: page.Tabs, More: page.More}
	if page.Next != nil {
		b, err := json.Marshal(place{sort, *page.Next})
		if err != nil {
			return err
		}
		d.Next = base64.RawURLEncoding.EncodeToString(b)
	}
	return reply(w, d)
}

// pageQuery reads the parameters of a list.
func pageQuery(in url.Values, now time.Time) (q jobs.PageQuery, sort string, err error) {
	if err := known(in, "status", "q", "date", "from", "to", "sort", "limit", "cursor"); err != nil {
		return q, "", err
	}
	for word := range strings.FieldsFuncSeq(in.Get("status"), func(r rune) bool { return r == ',' }) {
		states, ok := statusWords[word]
		if !ok {
			return q, "", badRequest("status is %q; it is one of pending, processing, completed, failed, queued, waiting, ignored, running, done", short(word))
		}
		q.States = append(q.States, states...)
	}
	slices.Sort(q.States)
	q.States = slices.Compact(q.States)
	if q.Filter = in.Get("q"); len(q.Filter) > maxQuery {
		return q, "", badRequest("q has %d bytes, at most %d are allowed", len(q.Filter), maxQuery)
	}
	q.From, q.To = in.Get("from"), in.Get("to")
	if date := in.Get("date"); date != "" {
		q.From, q.To = date, date
	}
	for _, day := range []*string{&q.From, &q.To} {
		if *day, err = dayOf(*day, now); err != nil {
			return q, "", err
		}
	}
	sort = in.Get("sort")
	word, reverse := strings.CutPrefix(sort, "-")
	order, ok := sorts[word]
	if !ok && sort != "" {
		return q, "", badRequest("sort is %q; it is one of state, name, time and size, with a dash before it for the other way around", short(sort))
	}
	if sort == "" {
		order = jobs.ByState
	}
	q.Order, q.Reverse, q.Limit = order, reverse, defaultLimit
	if text := in.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > maxLimit {
			return q, "", badRequest("limit is %q; it is a number from 1 to %d", short(text), maxLimit)
		}
	}
	q.After, err = markOf(in.Get("cursor"), sort)
	return q, sort, err
}

// markOf reads a cursor.
func markOf(cursor, sort string) (*jobs.Mark, error) {
	if cursor == "" {
		return nil, nil
	}
	var at place
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || json.Unmarshal(b, &at) != nil {
		return nil, badRequest("cursor is not one that this server gave")
	}
	if at.Sort != sort {
		return nil, badRequest("the cursor is of a list sorted by %q, not by %q", short(at.Sort), short(sort))
	}
	return &at.Mark, nil
}

// dayOf reads a day: YYYY-MM-DD, today or yesterday; "" stays.
func dayOf(text string, now time.Time) (string, error) {
	switch text {
	case "":
		return "", nil
	case "today":
		return now.Format(time.DateOnly), nil
	case "yesterday":
		return now.AddDate(0, 0, -1).Format(time.DateOnly), nil
	}
	if _, err := time.Parse(time.DateOnly, text); err != nil {
		return "", badRequest("%q is no day; write 2026-01-24, today or yesterday", short(text))
	}
	return text, nil
}

// known refuses parameters that a route does not have, and those that are given twice: a misspelt filter would show everything.
func known(in url.Values, names ...string) error {
	for name, values := range in {
		if !slices.Contains(names, name) {
			if len(names) == 0 {
				return badRequest("there is no parameter %q here", short(name))
			}
			return badRequest("there is no parameter %q; there are %s", short(name), strings.Join(names, ", "))
		}
		if len(values) > 1 {
			return badRequest("the parameter %q is given %d times", name, len(values))
		}
	}
	return nil
}

// active lists the running jobs.
func (s *Server) active(w http.ResponseWriter, r *http.Request) error {
	if err := known(r.URL.Query()); err != nil {
		return err
	}
	ctx, cancel := within(r, readTime)
	defer cancel()
	d := listDoc{Jobs: []jobDoc{}}
	for j, err := range s.o.Spool.Jobs(ctx, queue.Filter{States: []queue.State{queue.Running}}) {
		if err != nil {
			return err
		}
		d.Jobs = append(d.Jobs, newJobDoc(j, s.o.Now()))
	}
	d.Total = len(d.Jobs)
	return reply(w, d)
}
