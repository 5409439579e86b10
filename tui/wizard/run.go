package wizard

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
)

// framesPerSecond bounds how often the screen is painted.
const framesPerSecond = 10

// Run asks until the user is done or the context ends. The terminal is as it was before whatever happens, short of SIGKILL. What
// was answered is kept as a draft unless the result says otherwise. An unknown theme is an error.
func Run(ctx context.Context, o Options) (Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !terminalKnown { // without TERM nothing is known of the terminal but that it is one
		o.NoColor = true
	}
	keep := keeper{do: o.Keep}
	if o.Keep != nil {
		o.Keep = keep.keep
	}
	m, err := newModel(ctx, o, look.Colors(o.Out))
	if err != nil {
		return Result{}, err
	}
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithAltScreen(), tea.WithFPS(framesPerSecond))
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(hup)
	go func() {
		select {
		case <-hup:
			p.Quit()
		case <-ctx.Done():
		}
	}()
	_, err = p.Run()
	cancel()
	m.changes.end()
	if o.Keep != nil {
		if kerr := keep.last(m.form, m.result.Action == Left && m.kept != m.version); kerr != nil && err == nil {
			err = kerr
		}
	}
	m.result.Form = m.form
	switch {
	case errors.Is(err, tea.ErrProgramPanic):
		return Result{}, errors.New("the screen broke down; what went wrong stands above. The answers are kept: hyperctl manifest create --no-tui --resume goes on in lines")
	case errors.Is(err, tea.ErrInterrupted), errors.Is(err, tea.ErrProgramKilled):
		return Result{}, context.Canceled
	}
	return m.result, err
}

// keeper keeps drafts one after the other, and none after the last.
type keeper struct {
	mu     sync.Mutex
	closed bool
	do     func(answers.Form) error
}

func (k *keeper) keep(f answers.Form) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	return k.do(f)
}

// last waits for a draft that is being kept, keeps another when it is to, and shuts the door.
func (k *keeper) last(f answers.Form, write bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if !write {
		return nil
	}
	return k.do(f)
}
