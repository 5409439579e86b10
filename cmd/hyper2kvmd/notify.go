package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"hyper2kvm/internal/daemon"
	"hyper2kvm/internal/queue"
)

// drainExtension is by how much each status of a daemon that waits for its jobs moves the moment at which the service manager
// kills it: stop_timeout decides how long that is, not the unit.
const drainExtension = 30 * time.Second

// notifier tells the service manager how the daemon is (sd_notify(3)). Started by nobody who listens, it tells nobody.
type notifier struct {
	send func(state string) error

	mu   sync.Mutex
	said string
}

func newNotifier(log *slog.Logger) *notifier {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return &notifier{send: func(string) error { return nil }}
	}
	var once sync.Once
	return &notifier{send: func(state string) error {
		_, err := sd.SdNotify(false, state)
		if err != nil {
			once.Do(func() { log.Warn("the service manager cannot be told how the daemon is", "error", err) })
		}
		return err
	}}
}

// tell sends assignments in one message.
func (n *notifier) tell(state ...string) {
	_ = n.send(strings.Join(state, "\n")) // send has said what is wrong
}

func (n *notifier) ready() { n.tell(sd.SdNotifyReady) }

// reloading brackets a reload: both ends are told, and when it began, as Type=notify-reload wants it.
func (n *notifier) reloading() (done func()) {
	n.tell(sd.SdNotifyReloading, strings.TrimSpace(sd.SdNotifyMonotonicUsec()))
	return n.ready
}

func (n *notifier) stopping() {
	n.tell(sd.SdNotifyStopping, extension())
}

func extension() string { return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", drainExtension.Microseconds()) }

// watch is what the daemon gives its signs of life to: the watchdog is fed by the turns of its scheduler.
func (n *notifier) watch() daemon.Watch {
	return daemon.Watch{Turn: func() { n.tell(sd.SdNotifyWatchdog) }, Status: n.status}
}

// status puts a line under systemctl status, when it has changed.
func (n *notifier) status(s queue.Status) {
	c := s.Counts
	line := fmt.Sprintf("STATUS=%s: %d running, %d queued, %d waiting; today %d done, %d failed", s.State, c.Running, c.Queued, c.Waiting, c.DoneToday, c.FailedToday)
	if len(s.Reasons) > 0 {
		line += "; " + strings.Join(strings.Fields(s.Reasons[0]), " ") // one line, whatever is in it
	}
	n.mu.Lock()
	same := line == n.said
	n.said = line
	n.mu.Unlock()
	switch draining := s.State == "draining"; {
	case draining:
		n.tell(line, extension())
	case !same:
		n.tell(line)
	}
}
