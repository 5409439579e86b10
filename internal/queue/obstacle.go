package queue

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// settleStandings decides what the entries that may have changed their standing wait for. It says whether some are left.
func (i *Inbox) settleStandings(ctx context.Context, now, end time.Time) (more bool) {
	for name := range i.dirty {
		if time.Now().After(end) {
			return true
		}
		delete(i.dirty, name)
		it := i.items[name]
		if it == nil || !it.complete() {
			continue
		}
		i.decideStanding(ctx, it, now)
	}
	return false
}

func (i *Inbox) decideStanding(ctx context.Context, it *item, now time.Time) {
	if it.examined.IsZero() {
		i.examine(ctx, it, now)
		return
	}
	need := it.need
	switch {
	case need.Refuse != nil:
		it.refuse = need.Refuse
	case need.Ignore != "":
		// A file that a present entry names is not ignored but waits for that entry.
		if why := i.namedByOther(it); why != "" {
			i.stand(it, standBlocked, why, now)
			return
		}
		i.stand(it, standPassive, need.Ignore, now)
		return
	}
	if why := i.obstacle(it, now); why != "" && it.refuse == nil {
		i.stand(it, standBlocked, why, now)
		return
	}
	switch {
	case it.refuse != nil:
		if it.standing != standRefused {
			i.refusing = append(i.refusing, it)
		}
		i.stand(it, standRefused, "", now)
	case len(need.Parts) > 0:
		if it.standing != standRunnable {
			i.splitting = append(i.splitting, it)
		}
		i.stand(it, standRunnable, "", now)
	default:
		i.stand(it, standRunnable, "", now)
	}
}

// obstacle is why a complete entry cannot start, "" when it can.
func (i *Inbox) obstacle(it *item, now time.Time) string {
	if why := i.namedByOther(it); why != "" {
		return why
	}
	if lead := i.arriving(it, now); lead != "" {
		return fmt.Sprintf("%q is arriving and may name it", lead)
	}
	need := it.need
	switch {
	case need.Wait != "":
		return need.Wait
	case need.Hold != "" && !it.released:
		return need.Hold
	case i.o.ManifestMode && need.Kind == "disk":
		return "no manifest names it (mode manifest)"
	}
	if d, ok := i.deferred[keyOf(it.seen.look.id)]; ok {
		return d.reason
	}
	if len(need.Parts) > 0 {
		return ""
	}
	return i.memberObstacle(it, now)
}

// namedByOther says who names an entry, which then never runs by itself. Of two that name each other the older leads.
func (i *Inbox) namedByOther(it *item) string {
	if it.seen.look.dir { // nothing can take a folder along
		return ""
	}
	for _, namer := range i.graph.namedBy(it.name) {
		other := i.items[namer]
		if other == nil || !other.complete() || other.refuse != nil {
			continue
		}
		if it.before(other) && slices.Contains(i.graph.closure(it.name), namer) {
			continue
		}
		return fmt.Sprintf("named by %q", namer)
	}
	return ""
}

// memberObstacle says which of an entry's files is not there, not complete, or somebody else's.
func (i *Inbox) memberObstacle(it *item, now time.Time) string {
	var first string
	say := func(format string, args ...any) {
		if first == "" {
			first = fmt.Sprintf(format, args...)
		}
	}
	for _, m := range i.graph.closure(it.name) {
		other := i.items[m]
		switch {
		case hidden(m) || ignoredName(m) != "":
			i.missingSince(it, m, now)
			say("needs %q, a name that is never taken", m)
		case other == nil:
			say("%s", i.missing(it, m, now))
		case !other.complete():
			delete(it.missing, m)
			delete(it.lost, m)
			say("%q: %s", m, other.reason)
		case other.need.Wait != "":
			say("%q: %s", m, other.need.Wait)
		case other.seen.look.dir:
			say("needs %q, which is a folder", m)
		default:
			delete(it.missing, m)
			delete(it.lost, m)
			if rival := i.rival(it, m); rival != "" {
				say("%q belongs to %q first", m, rival)
			}
		}
	}
	if it.refuse == nil {
		i.checkTimeout(it, now)
	}
	return first
}

// rival is an older entry outside of it that names the same file.
func (i *Inbox) rival(it *item, member string) string {
	for _, namer := range i.graph.namedBy(member) {
		other := i.items[namer]
		if namer == it.name || other == nil || !other.complete() || other.refuse != nil || !other.before(it) {
			continue
		}
		if len(other.need.Parts) > 0 || !slices.Contains(i.graph.closure(it.name), namer) {
			return namer
		}
	}
	return ""
}

func (i *Inbox) missingSince(it *item, m string, now time.Time) {
	if it.missing == nil {
		it.missing = map[string]time.Time{}
	}
	if _, ok := it.missing[m]; !ok {
		it.missing[m] = now
	}
}

// missing says where a file that an entry needs may be. One that runs as a job of its own is called back; one that went with
// another job will not come, and the entry is refused.
func (i *Inbox) missing(it *item, m string, now time.Time) string {
	for _, c := range i.s.Live() {
		r := c.Record()
		switch {
		case r.original() == m:
			if !i.recalled[r.ID] {
				i.recalled[r.ID] = true
				i.log.Info("a running job is called back", "id", r.ID, "name", m, "named_by", it.name)
				i.o.Recall(r.ID)
			}
			i.lose(it, m, taker{r.original(), r.Entry})
			return fmt.Sprintf("takes %q back from the job that runs it alone", m)
		case slices.Contains(r.Members, m):
			i.lose(it, m, taker{r.original(), r.Entry})
			return fmt.Sprintf("%q is with the job of %q", m, r.original())
		}
	}
	i.missingSince(it, m, now)
	// In this order: a job that is being put back is for a while not running any more and not in the drop zone yet.
	if by, ok := it.lost[m]; ok && exists(i.s.path(DirRunning, by.entry)) {
		return fmt.Sprintf("%q is with the job of %q", m, by.name)
	}
	if exists(i.s.path(DirQueued, m)) {
		i.touch(m) // it came back, and the news has not arrived
		return fmt.Sprintf("%q has just come back", m)
	}
	if by, ok := it.lost[m]; ok {
		it.refuse = refuseMissing(fmt.Sprintf("%q, which it names, went with the job of %q", m, by.name))
	}
	return "missing " + fmt.Sprintf("%q", m)
}

func (i *Inbox) lose(it *item, m string, by taker) {
	if it.lost == nil {
		it.lost = map[string]taker{}
	}
	it.lost[m] = by
}

func (i *Inbox) checkTimeout(it *item, now time.Time) {
	for m, since := range it.missing {
		if now.Sub(since) >= i.o.MissingTimeout {
			it.refuse = refuseMissing(fmt.Sprintf("%q, which it names, did not come within %s", m, i.o.MissingTimeout))
			return
		}
	}
}

func refuseMissing(why string) map[string]any {
	return map[string]any{"code": codeMissing, "error": why, "retryable": true,
		"hint": "put the missing file into " + DirQueued + " first, then retry this job"}
}
