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
	listen func(dir string) (*Notifier, error)
	w      *Notifier
	node   nodeID // of the directory that is watched
	tried  time.Time
	warned bool
}

// Notifier is what tells of changes in a directory.
type Notifier struct {
	Events chan fsnotify.Event
	Errors chan error
	List   func() []string // what is watched
	Close  func() error
}

// listenByKernel asks the kernel to tell.
func listenByKernel(dir string) (*Notifier, error) {
	w, err := fsnotify.NewBufferedWatcher(4096)
	if err != nil {
		return nil, err
	}
	if err := w.Add(dir); err != nil {
		_ = w.Close()
		return nil, err
	}
	return &Notifier{Events: w.Events, Errors: w.Errors, List: w.WatchList, Close: w.Close}, nil
}

func newWatch(dir string, log *slog.Logger, listen func(dir string) (*Notifier, error)) *watch {
	w := &watch{dir: dir, log: log, listen: listen}
	if w.listen == nil {
		w.listen = listenByKernel
	}
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
	n, err := w.listen(w.dir)
	if err != nil {
		if !w.warned {
			w.log.Warn("the drop zone cannot be watched and is polled", "dir", w.dir, "error", err)
		}
		w.warned = true
		return
	}
	w.w, w.node, w.warned = n, node, false
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
	if ok {
		i.s.traffic.event(ev.Op)
	}
	switch {
	case !ok:
		w.close()
		i.scanning.asked = rescanWatch
	case filepath.Clean(ev.Name) == w.dir: // the directory itself was moved or removed
		i.scanning.asked = rescanWatch
	case filepath.Dir(ev.Name) == w.dir:
		i.touch(filepath.Base(ev.Name))
	}
}

// failed is told of an error: events were lost, or the watch is gone.
func (w *watch) failed(i *Inbox, err error, ok bool) {
	i.scanning.asked = rescanWatch
	switch {
	case !ok:
		w.close()
	case errors.Is(err, fsnotify.ErrEventOverflow):
		i.s.traffic.count(TallyOverflows, "")
		i.scanning.asked = rescanOverflow
	default:
		w.log.Warn("watching the drop zone", "error", err)
	}
}

// check finds out whether the watch still hears the directory that the name leads to: after an unmount it goes without any event.
func (w *watch) check(dir string, scan func()) {
	node, err := nodeOf(dir)
	if err != nil {
		return
	}
	if w.w != nil && w.node == node && slices.Contains(w.w.List(), w.dir) {
		return
	}
	if w.w == nil && time.Since(w.tried) < rewatch {
		return
	}
	w.open()
	scan()
}
