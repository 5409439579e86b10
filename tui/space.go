package tui

import (
	"fmt"

	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// volumes are the file systems that jobs write to, as the daemon sees them: that of the queue, and that of the output.
func (m *model) volumes() (work, out queue.Space, ok bool) {
	all := m.screen.Status.Space
	if m.screen.Live != queue.LiveRunning || len(all) == 0 {
		return work, out, false
	}
	return all[0], all[len(all)-1], true
}

// queuedText is what the queued jobs may write: about as much as they are large.
func (m *model) queuedText() string {
	sign := "~"
	if m.screen.Vague {
		sign = "more than "
	}
	return sign + look.Bytes(m.screen.Queued)
}

// spaceShort says that the queued jobs may not fit; "" when they do.
func (m *model) spaceShort() string {
	_, out, ok := m.volumes()
	if free := max(out.Free-out.Reserved, 0); ok && m.screen.Queued > free {
		return fmt.Sprintf("queued jobs need %s on out, %s is left", m.queuedText(), look.Bytes(free))
	}
	return ""
}

// spaceLine is how much is free, and what the queued jobs need of it.
func (m *model) spaceLine(w int) (line, bool) {
	work, out, ok := m.volumes()
	if !ok {
		return line{}, false
	}
	free := func(name string, s queue.Space) look.Span {
		t := " " + name + " " + look.Bytes(s.Free) + " free"
		if s.Reserved > 0 {
			t += ", " + look.Bytes(s.Reserved) + " of it reserved"
		}
		return look.Span{Text: t + "  "}
	}
	left := []look.Span{free("work", work), free("out", out)}
	if diff := work.Free - out.Free; work.Total == out.Total && max(diff, -diff) <= out.Total/1000 { // one, looked at twice
		left = []look.Span{free("work and out", out)}
	}
	switch short := m.spaceShort(); {
	case short != "":
		left = append(left, look.Span{Text: " " + m.paint.Glyph(look.Caution) + " " + short, Role: look.Warn})
	case m.screen.Queued > 0:
		left = append(left, look.Span{Text: " queued jobs need " + m.queuedText(), Role: look.Dim})
	}
	return line{spans: m.fit(left, w)}, true
}
