package jobs

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"

	"hyper2kvm/internal/queue"
)

// rescan is how often a look is due without any event: the daemon's end makes none, and on network file systems nothing does.
const rescan = time.Second

// rewatch is how often the list of watched directories is checked: days begin, jobs start.
const rewatch = 5 * time.Second

// Wake tells when a look is due, until the context ends: after an event in the tree, and every second. It never falls behind: one
// wake stands for all that came before it.
func (d *Dir) Wake(ctx context.Context) <-chan struct{} {
	wake := make(chan struct{}, 1)
	go d.listen(ctx, wake)
	return wake
}

func (d *Dir) listen(ctx context.Context, wake chan<- struct{}) {
	w, err := fsnotify.NewBufferedWatcher(1024)
	var events chan fsnotify.Event
	var failures chan error
	if err == nil { // without it the timer does alone
		defer func() { _ = w.Close() }() // nothing was written
		events, failures = w.Events, w.Errors
		d.watch(w)
	}
	tick := time.NewTicker(rescan)
	defer tick.Stop()
	checked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-events:
			if !ok {
				events = nil
			}
		case _, ok := <-failures: // events were lost; a look is due anyway
			if !ok {
				failures = nil
			}
		case now := <-tick.C:
			if w != nil && now.Sub(checked) > rewatch {
				checked = now
				d.watch(w)
			}
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// watch watches the directories that change while jobs come and go: the newest days only, the older ones are left to the timer.
func (d *Dir) watch(w *fsnotify.Watcher) {
	dir := d.spool.Dir()
	want := []string{filepath.Join(dir, queue.DirQueued), filepath.Join(dir, queue.DirRunning), filepath.Join(dir, queue.DirOwn)}
	for terminal := range suffixes {
		days, err := os.ReadDir(filepath.Join(dir, terminal))
		if err != nil {
			continue
		}
		want = append(want, filepath.Join(dir, terminal))
		if len(days) > 0 {
			want = append(want, filepath.Join(dir, terminal, days[len(days)-1].Name()))
		}
	}
	have := w.WatchList()
	for _, p := range want {
		if !slices.Contains(have, p) {
			_ = w.Add(p) // what cannot be watched is looked at every second
		}
	}
	for _, p := range have {
		if !slices.Contains(want, p) {
			_ = w.Remove(p)
		}
	}
}
