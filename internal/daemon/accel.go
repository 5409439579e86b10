package daemon

import (
	"context"
	"sync"
)

// Accelerator finds out whether hardware acceleration works on this host; why says what is in the way. It has a time limit of its own.
type Accelerator func(ctx context.Context) (kvm bool, why string)

// acceleration asks once, when a job first needs to know.
type acceleration struct {
	probe Accelerator

	mu    sync.Mutex
	known bool
	kvm   bool
	why   string
}

// answer waits for the probe the first time. A probe that was called off is made again.
func (a *acceleration) answer(ctx context.Context) (kvm bool, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.known {
		a.why = "not tried"
		if a.probe != nil {
			a.kvm, a.why = a.probe(ctx)
		}
		a.known = ctx.Err() == nil
	}
	return a.kvm, a.why
}

// text says it for the status; "" while it is not known.
func (a *acceleration) text() string {
	if !a.mu.TryLock() {
		return "" // it is being found out
	}
	defer a.mu.Unlock()
	switch {
	case !a.known:
		return ""
	case a.kvm:
		return "kvm"
	}
	return "none: " + a.why
}
