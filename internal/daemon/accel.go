package daemon

import "context"

// Accelerator finds out whether hardware acceleration works on this host; why says what is in the way.
type Accelerator func(ctx context.Context) (kvm bool, why string)

// acceleration is what the daemon found out, once.
type acceleration struct {
	done chan struct{}
	kvm  bool
	why  string
}

// tryAcceleration starts the probe; the daemon goes on meanwhile.
func tryAcceleration(ctx context.Context, probe Accelerator) *acceleration {
	a := &acceleration{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		if probe == nil {
			a.why = "not tried"
			return
		}
		a.kvm, a.why = probe(ctx)
	}()
	return a
}

// wait returns the answer when it is there; the probe has a time limit of its own.
func (a *acceleration) wait() (kvm bool, why string) {
	<-a.done
	return a.kvm, a.why
}

// text says it for the status; "" while it is not known.
func (a *acceleration) text() string {
	select {
	case <-a.done:
	default:
		return ""
	}
	if a.kvm {
		return "kvm"
	}
	return "none: " + a.why
}
