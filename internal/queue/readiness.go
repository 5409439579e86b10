package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// verdict is what one look at an entry of the drop zone came to.
type verdict struct {
	look     look
	ready    bool          // nobody writes it any more
	gone     bool          // it is not there
	ignored  bool          // it is not a job and will not become one by waiting
	reason   string        // why it is not ready
	settling time.Duration // > 0: it will be ready by itself after that long, if nothing happens
	timed    bool          // judged by time, because leases do not work for it
}

// readiness judges whether entries are complete. It has no state: what was seen before is given to it.
type readiness struct {
	dir         string
	settle      time.Duration // of local files after the last change
	timedSettle time.Duration // where leases do not work
	remote      bool
}

// sighting is an entry as it was first seen in its present form, in the caller's clock.
type sighting struct {
	look  look
	since time.Time
}

// judge looks at an entry. Readiness is never a matter of time alone where the kernel can be asked: a writer may pause for an
// hour. Where it cannot, only time is left.
func (r readiness) judge(name string, last sighting, now time.Time) verdict {
	l, err := lookAt(r.dir, name)
	v := verdict{look: l}
	var plain notPlain
	var unfinished unfinishedFolder
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, again := lstat(filepath.Join(r.dir, name)); again != nil {
			v.gone = true
			return v
		}
		v.reason = "files in it come and go"
		return v
	case errors.As(err, &plain) && !l.dir:
		v.ignored, v.reason = true, plain.reason
		return v
	case errors.As(err, &plain), errors.As(err, &unfinished), errors.Is(err, ErrName):
		v.reason = err.Error()
		return v
	case errors.Is(err, fs.ErrPermission):
		v.reason = "the daemon may not read it; chmod g+rX it"
		return v
	case err != nil:
		v.reason = err.Error()
		return v
	case !l.dir && l.nlink != 1:
		v.reason = fmt.Sprintf("it has %d hard links, so that it could change under another name", l.nlink)
		return v
	case l.id.Size == 0 && !l.dir:
		v.reason = "empty"
		return v
	case l.dir && len(l.files) == 0:
		v.reason = "empty folder"
		return v
	case l.dir && unix.Faccessat(unix.AT_FDCWD, filepath.Join(r.dir, name), unix.W_OK, unix.AT_EACCESS) != nil:
		v.reason = "the daemon may not move this folder; chmod g+w it, or submit it with hyperctl"
		return v
	}
	r.probe(name, &v)
	if v.reason != "" || v.gone {
		return v
	}
	r.quiet(&v, last, now)
	return v
}

// probe asks for writers of the file, or of every file in a folder.
func (r readiness) probe(name string, v *verdict) {
	v.timed = r.remote
	paths := []string{name}
	if v.look.dir {
		paths = paths[:0]
		for _, rel := range v.look.files {
			paths = append(paths, filepath.Join(name, filepath.FromSlash(rel)))
		}
	}
	for _, path := range paths {
		which := ""
		if v.look.dir {
			which = fmt.Sprintf("%q ", path)
		}
		switch got, err := probeWriter(filepath.Join(r.dir, path)); got {
		case leaseFree:
		case leaseBusy:
			if r.remote { // some clients answer so for idle files
				continue
			}
			v.reason = which + "is being written"
			return
		case leaseUnable:
			v.timed = true
		case leaseUnreadable:
			v.reason = which + "cannot be opened by the daemon"
			if errors.Is(err, fs.ErrPermission) {
				v.reason = which + "may not be read by the daemon; chmod g+r it"
			}
			return
		case leaseGone:
			if v.look.dir {
				v.reason = "files in it come and go"
				return
			}
			v.gone = true
			return
		}
	}
}

// quiet decides about time. An entry whose inode changed well after its content did arrived by a rename or was given its times
// at the end of a copy: it is complete. Any other must have been left alone for the settle time, which covers tools that close
// a file and open it again.
func (r readiness) quiet(v *verdict, last sighting, now time.Time) {
	need := r.settle
	if v.timed {
		need = r.timedSettle
	} else if v.look.id.CtimeNS-v.look.id.MtimeNS > int64(r.settle) {
		v.ready = true
		return
	}
	since := now
	if !last.since.IsZero() && unchanged(last.look, v.look) {
		since = last.since
	}
	left := need - now.Sub(since)
	if !v.timed { // the same machine wrote the ctime: what is old enough need not be waited for after a start
		if age := now.UnixNano() - v.look.id.CtimeNS; age > 0 && v.look.id.CtimeNS >= v.look.id.MtimeNS {
			left = min(left, need-time.Duration(age))
		}
	}
	if left <= 0 {
		v.ready = true
		return
	}
	v.settling = left
	v.reason = "arriving: unchanged for " + need.String() + " makes it complete"
	if v.timed {
		v.reason += " (leases do not work here)"
	}
}
