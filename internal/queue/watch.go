package queue

import (
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
)

// rewatch is how often a watch that died is set up again.
const rewatch = 10 * time.Second

// watch hears of changes in the drop zone. Its events are hints about where to look, and whenever it may have missed some it asks for
// a scan; without it everything works, only later.
type watch struct {
	dir    string
	log    *slog.Logger
	w      *fsnotify.Watcher
	node   nodeID // of the directory that is watched
	tried  time.Time
	warned bool
}

func newWatch(dir string, log *slog.Logger) *watch {
	w := &watch{dir: dir, log: log}
	w.open()
	return w
}

func (w *watch) open() {
	w.close()
	w.tried = time.Now()
	node, err := nodeOf(w.dir)
	if err != nil {
		return
	}
	watcher, err := fsnotify.NewBufferedWatcher(4096)
	if err == nil {
		if err = watcher.Add(w.dir); err != nil {
			_ = watcher.Close()
		}
	}
	if err != nil {
		if !w.warned {
			w.log.Warn("the drop zone cannot be watched and is polled", "dir", w.dir, "error", err)
		}
		w.warned = true
		return
	}
	w.w, w.node, w.warned = watcher, node, false
}

func (w *watch) close() {
	if w.w != nil {
		_ = w.w.Close()
		w.w = nil
	}
}

func (w *watch) alive() bool { return w.w != nil }

func (w *watch) events() chan fsnotify.Event {
	if w.w == nil {
		return nil
	}
	return w.w.Events
}

func (w *watch) errors() chan error {
	if w.w == nil {
		return nil
	}
	return w.w.Errors
}

// event passes the name of a change on.
func (w *watch) event(i *Inbox, ev fsnotify.Event, ok bool) {
	switch {
	case !ok:
		w.close()
		i.scanning.asked = true
	case filepath.Clean(ev.Name) == w.dir: // the directory itself was moved or removed
		i.scanning.asked = true
	case filepath.Dir(ev.Name) == w.dir:
		i.touch(filepath.Base(ev.Name))
	}
}

// failed is told of an error: events were lost, or the watch is gone.
func (w *watch) failed(i *Inbox, err error, ok bool) {
	if !ok {
		w.close()
	} else if !errors.Is(err, fsnotify.ErrEventOverflow) {
		w.log.Warn("watching the drop zone", "error", err)
	}
	i.scanning.asked = true
}

// check finds out whether the watch still hears the directory that the name leads to: after an unmount it goes without any event.
func (w *watch) check(dir string, scan func()) {
	node, err := nodeOf(dir)
	if err != nil {
		return
	}
	if w.w != nil && w.node == node && slices.Contains(w.w.WatchList(), w.dir) {
		return
	}
	if w.w == nil && time.Since(w.tried) < rewatch {
		return
	}
	w.open()
	scan()
}
