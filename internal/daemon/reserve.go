package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/queue"
)

// reservations keeps account of the space that running jobs may still write, by file system, so that two jobs that fit one
// after the other do not both run out half way.
type reservations struct {
	mu     sync.Mutex
	byJob  map[string][]reservation
	statfs func(dir string) (volume, error)
}

type reservation struct {
	fsid  unix.Fsid
	bytes int64
}

// volume is one file system: who it is, how much it has and how much is free for us.
type volume struct {
	fsid        unix.Fsid
	total, free int64
}

func newReservations() *reservations {
	return &reservations{byJob: map[string][]reservation{}, statfs: statVolume}
}

// statVolume looks at the file system of dir, or of the nearest parent that exists.
func statVolume(dir string) (volume, error) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return volume{fsid: st.Fsid, total: int64(st.Blocks) * st.Bsize, free: int64(st.Bavail) * st.Bsize}, nil
		}
		parent := filepath.Dir(dir)
		if err != unix.ENOENT || parent == dir {
			return volume{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
		}
		dir = parent
	}
}

// shortage is what is missing for a job to start.
type shortage struct {
	Dir        string
	Need, Has  int64 // Has: free and not reserved by others
	Total      int64
	Impossible bool // more than the file system could ever hold
}

// String says it as status and logs do: "space (needs 40.0 GiB, has 12.5 GiB on /out)".
func (s shortage) String() string {
	return fmt.Sprintf("space (needs %s, has %s on %s)", formatBytes(s.Need), formatBytes(s.Has), s.Dir)
}

// take sets the needs of job id aside, replacing earlier ones, or says what is missing and reserves nothing.
func (r *reservations) take(id string, needs []convert.SpaceNeed) (*shortage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rows, short, err := r.lookLocked(id, needs)
	if err == nil && short == nil {
		r.byJob[id] = rows
	}
	return short, err
}

// lookLocked says what the needs of job id come to, or what is missing for them. What the job has written already is not free any more,
// so that only the rest is set aside.
func (r *reservations) lookLocked(id string, needs []convert.SpaceNeed) ([]reservation, *shortage, error) {
	want, held := map[unix.Fsid]int64{}, map[unix.Fsid]int64{}
	var rows []reservation
	for _, n := range needs {
		v, err := r.statfs(n.Dir)
		if err != nil {
			return nil, nil, err
		}
		held[v.fsid] += n.Held
		want[v.fsid] += n.Bytes
		has := v.free + held[v.fsid] - r.reservedLocked(v.fsid, id)
		if want[v.fsid] > has {
			return nil, &shortage{Dir: n.Dir, Need: want[v.fsid], Has: max(has, 0), Total: v.total, Impossible: want[v.fsid] > v.total}, nil
		}
		rows = append(rows, reservation{fsid: v.fsid, bytes: n.Bytes - n.Held})
	}
	return rows, nil, nil
}

// fits reports whether the needs could be taken now.
func (r *reservations) fits(needs []convert.SpaceNeed) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, short, err := r.lookLocked("", needs)
	return err == nil && short == nil
}

// release gives back what job id had reserved.
func (r *reservations) release(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byJob, id)
}

// reservedLocked sums what jobs other than except have reserved on a file system. It counts a running job's whole need though
// part of it is written already: too careful, and never wrong.
func (r *reservations) reservedLocked(fsid unix.Fsid, except string) int64 {
	var sum int64
	for id, rows := range r.byJob {
		if id == except {
			continue
		}
		for _, row := range rows {
			if row.fsid == fsid {
				sum += row.bytes
			}
		}
	}
	return sum
}

// spaces describes the file systems of dirs for the status.
func (r *reservations) spaces(dirs ...string) []queue.Space {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []queue.Space
	for _, dir := range dirs {
		if v, err := r.statfs(dir); err == nil {
			out = append(out, queue.Space{Dir: dir, Free: v.free, Total: v.total, Reserved: r.reservedLocked(v.fsid, "")})
		}
	}
	return out
}

// formatBytes writes a size with a binary unit and one decimal.
func formatBytes(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	f, i := float64(n)/1024, 0
	for f >= 1023.95 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[i])
}
