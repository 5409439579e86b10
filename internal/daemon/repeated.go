package daemon

import (
	"log/slog"
	"time"
)

// repeatEvery is how often the log tells again of something that is tried many times a minute and still fails.
const repeatEvery = time.Minute

// repeated tells the log how something goes that is tried again and again: when it first fails, each minute that it still does, and when
// it works again.
type repeated struct {
	log    *slog.Logger
	clock  func() time.Time
	what   string // that fails: "write the status"
	failed bool
	told   time.Time
}

// result takes what came of one try.
func (r *repeated) result(err error) {
	switch now := r.clock(); {
	case err == nil && r.failed:
		r.log.Info(r.what + ": works again")
		r.failed = false
	case err != nil && (!r.failed || now.Sub(r.told) >= repeatEvery || now.Before(r.told)):
		r.log.Error(r.what, "error", err)
		r.failed, r.told = true, now
	}
}
