package queue

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// scanState is when the drop zone was and will be read.
type scanState struct {
	asked    string // why it must be read: one of the rescan constants; "" = it need not
	done     bool   // once at least
	last     time.Time
	dirTime  [2]int64 // mtime and ctime of the drop zone before the last scan
	lastTick time.Time
	lastAll  time.Time // when everything blocked was last decided again
	lastTidy time.Time
}

// tick does the small checks of every second.
func (i *Inbox) tick(now time.Time) {
	sc := &i.scanning
	if sc.done && now.Sub(sc.lastTick) < tick && !now.Before(sc.lastTick) {
		return
	}
	sc.lastTick = now
	i.askAwaiting() // a lead may have become too old to be waited for
	i.problems = i.problems[:0:0]
	if err := i.s.checkTree(); err != nil {
		i.problems = append(i.problems, err.Error())
	}
	i.s.recheckSpace()
	i.s.undoHalfway()
	if err := i.s.Trouble(); err != nil {
		i.problems = append(i.problems, err.Error())
	}
	if len(i.problems) == 0 {
		i.watch.check(i.s.path(DirQueued), func() { sc.asked = rescanWatch })
	}
	i.endDeferrals()
	for id := range i.recalled {
		if !i.s.isLive(id) {
			delete(i.recalled, id)
		}
	}
	i.recheck(now)
}

// recheckMost is how many waiting entries are decided again at once; of more, some have their turn each time.
const recheckMost = MaxHeldPublished

// recheck decides about waiting entries again, because time goes by for them or because what they wait for is not in the drop
// zone.
func (i *Inbox) recheck(now time.Time) {
	sc := &i.scanning
	ask := now.Sub(sc.lastAll) >= recheck
	if !ask && len(i.held) > recheckMost {
		return
	}
	if ask {
		sc.lastAll = now
	}
	left := recheckMost
	for _, it := range i.held {
		if it.standing != standBlocked {
			continue
		}
		if left--; left < 0 {
			return
		}
		if ask && (it.need.Wait != "" || it.need.Hold != "") {
			it.examined = time.Time{} // ask the Intake again
		}
		i.dirty[it.name] = struct{}{}
	}
}

// scanDue says why the drop zone must be read: at first, when events were lost, when the directory changed since, and
// now and then whatever happens; "" when it need not be.
func (i *Inbox) scanDue(now time.Time) (trigger string) {
	sc := &i.scanning
	if len(i.problems) > 0 && sc.done {
		return ""
	}
	age := now.Sub(sc.last)
	every := changedScan
	if !i.watch.alive() || i.judge.remote {
		every = pollScan
	}
	switch {
	case !sc.done:
		return rescanStart
	case sc.asked != "":
		return sc.asked
	case age >= i.o.Rescan || age < 0:
		return rescanTimer
	case age >= min(every, i.o.Rescan) && i.dirTime() != sc.dirTime:
		return rescanChanged
	}
	return ""
}

func (i *Inbox) dirTime() [2]int64 {
	var st unix.Stat_t
	if unix.Lstat(i.s.path(DirQueued), &st) != nil {
		return [2]int64{}
	}
	return [2]int64{st.Mtim.Nano(), st.Ctim.Nano()}
}

// scan compares the drop zone with what is known of it. A name that is always there is never missed by reading the directory,
// whatever comes and goes meanwhile.
func (i *Inbox) scan(now time.Time) {
	sc := &i.scanning
	sc.asked, sc.last, sc.dirTime = "", now, i.dirTime()
	there := make(map[string]struct{}, len(i.items))
	var submissions []string // that are being built
	err := eachName(i.s.path(DirQueued), func(name string, _ byte) bool {
		if hidden(name) {
			if strings.HasPrefix(name, submitPrefix) && len(submissions) < maxAbandoned {
				submissions = append(submissions, name)
			}
			return true
		}
		there[name] = struct{}{}
		it := i.items[name]
		if it == nil {
			i.touch(name)
		} else if it.standing != standUnready {
			i.verify(it)
		}
		return true
	})
	if err != nil {
		i.problems = append(i.problems, fmt.Sprintf("%s cannot be read: %v", i.s.path(DirQueued), err))
		return
	}
	sc.done = true
	for name, it := range i.items {
		if _, ok := there[name]; !ok {
			i.remove(it)
		}
	}
	if now.Sub(sc.lastTidy) >= tidyEvery {
		sc.lastTidy = now
		i.s.tidy(now)
		i.s.tidySubmissions(submissions, now)
	}
}

// verify looks whether a known entry is still the one that it was, with one system call.
func (i *Inbox) verify(it *item) {
	st, err := lstat(i.s.path(DirQueued, it.name))
	if err != nil {
		i.look(it)
		return
	}
	is, was := identityOf(st), it.seen.look.id
	if is.Ino != was.Ino || is.CtimeNS != was.CtimeNS {
		i.look(it)
	}
}
