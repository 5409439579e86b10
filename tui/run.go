package tui

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/tui/look"
)

// framesPerSecond bounds how often the screen is painted.
const framesPerSecond = 10

// terminal is the screen. The renderer and what is copied to the clipboard may be written at the same time.
type terminal struct {
	*os.File
	mu *sync.Mutex
}

func (t terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.File.Write(p)
}

// Run shows the directory until the user quits or the context ends. The terminal is as it was before whatever happens, short of
// SIGKILL. An unknown theme is an error.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if !terminalKnown { // without TERM nothing is known of the terminal but that it is one
		o.NoColor = true
	}
	m, err := newModel(ctx, o, look.Colors(o.Out))
	if err != nil {
		return err
	}
	out := terminal{o.Out, new(sync.Mutex)}
	m.clipboard = out
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(out), tea.WithAltScreen(), tea.WithFPS(framesPerSecond))
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
	switch {
	case errors.Is(err, tea.ErrProgramPanic):
		return errors.New("the screen broke down; what went wrong stands above. hyperctl workflow watch --no-tui shows the same in lines")
	case errors.Is(err, tea.ErrInterrupted), errors.Is(err, tea.ErrProgramKilled):
		return context.Canceled
	}
	return err
}
