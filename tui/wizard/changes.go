package wizard

import (
	"context"
	"strings"
	"sync"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
)

// ChangesFunc looks into the guest of one VM of a form and gives each change that FIX would make, line by line, as hyperctl plan
// prints them. It may take minutes.
type ChangesFunc func(ctx context.Context, f answers.Form, vm int) ([]string, error)

// changes is what is known of the guest of a VM.
type changes struct {
	of      version
	vm      int
	looking bool
	lines   []string
	failure error
	running *sync.WaitGroup // what must have ended before the program does: it may have started a VM
}

type changesMsg struct {
	of    version
	vm    int
	lines []string
	err   error
}

// closing is how long a look into a guest may take to end when the program does.
const closing = 10 * time.Second

// showChanges looks into the guest, unless that was done, and shows what would be changed there; after that, the manifest again.
func (m *model) showChanges() tea.Cmd {
	c := &m.changes
	if m.scroll = 0; m.view == viewChanges && c.of == m.now() && c.vm == m.vm && c.failure == nil && !c.looking {
		m.view = 0
		return nil
	}
	m.view = viewChanges
	failures, _ := m.counts()
	switch {
	case m.opt.Changes == nil:
		m.say(look.Dim, "not known from here: hyperctl plan FILE")
		return nil
	case failures > 0:
		m.say(look.Warn, "first: something is wrong with the answers")
		return nil
	case c.looking, c.of == m.now() && c.vm == m.vm && c.failure == nil:
		return nil
	}
	c.looking, c.of, c.vm = true, m.now(), m.vm
	form, of, vm, do, ctx, running := m.form.Clone(), c.of, c.vm, m.opt.Changes, m.ctx, c.running
	running.Add(1)
	return func() tea.Msg {
		defer running.Done()
		lines, err := do(ctx, form, vm)
		return changesMsg{of, vm, lines, err}
	}
}

func (m *model) gotChanges(msg changesMsg) {
	c := &m.changes
	c.looking, c.lines, c.failure = false, msg.lines, msg.err
}

// changesLines are the changes in the guest of the VM that is shown.
func (m *model) changesLines(w int) []line {
	c := &m.changes
	switch {
	case c.looking:
		return m.wrap(look.Dim, "looking into the guest; without KVM this takes half a minute ...", w)
	case c.of != m.now() || c.vm != m.vm:
		return m.wrap(look.Dim, "P looks into the guest: each change that would be made in it, as a difference. Nothing is written.", w)
	case c.failure != nil:
		return m.wrap(look.Warn, "cannot look into the guest: "+c.failure.Error(), w)
	}
	var out []line
	for _, l := range c.lines {
		role := look.Text
		switch {
		case strings.HasPrefix(l, "+"):
			role = look.Good
		case strings.HasPrefix(l, "-"):
			role = look.Bad
		case strings.HasPrefix(l, "@@"):
			role = look.Dim
		}
		out = append(out, m.folded(role, " "+l, w)...)
	}
	return out
}

// end waits until nothing runs any more that was begun, for a while.
func (c *changes) end() {
	done := make(chan struct{})
	go func() {
		c.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(closing):
	}
}
