package main

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// journalFields are the names in the journal of what the daemon logs about jobs. Anything else is H2K_ and its name.
var journalFields = map[string]string{
	"job": "JOB_ID", "entry": "JOB_ENTRY", "stage": "STAGE", "code": "H2K_CODE",
}

// journalHandler writes to the journal with fields, so that journalctl JOB_ID=... finds what there is about a job. What cannot be
// written there goes to the handler beside it.
type journalHandler struct {
	level slog.Leveler
	send  func(message string, p journal.Priority, fields map[string]string) error
	other slog.Handler
	attrs []slog.Attr
	group string // of the attributes to come, with its full stop
}

func (h *journalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle writes one message: the text as a person reads it, with the attributes, and each attribute as a field.
func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	fields := map[string]string{}
	text := r.Message
	add := func(a slog.Attr) {
		value := a.Value.Resolve().String()
		if a.Key == "" {
			return
		}
		fields[fieldName(a.Key)] = value
		if value == "" || strings.ContainsAny(value, " =\"\n") {
			value = strconv.Quote(value)
		}
		text += " " + a.Key + "=" + value
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(func(a slog.Attr) bool {
		for _, flat := range flatten(h.group, a) {
			add(flat)
		}
		return true
	})
	if err := h.send(text, priorityOf(r.Level), fields); err != nil {
		return h.other.Handle(ctx, r)
	}
	return nil
}

// WithAttrs returns a handler that adds the attributes to each message.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.attrs = slices.Clone(h.attrs)
	for _, a := range attrs {
		next.attrs = append(next.attrs, flatten(h.group, a)...)
	}
	next.other = h.other.WithAttrs(attrs)
	return &next
}

// WithGroup returns a handler that puts the name before those of the attributes to come.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.group, next.other = h.group+name+".", h.other.WithGroup(name)
	return &next
}

// flatten takes groups apart: the journal knows names and texts.
func flatten(group string, a slog.Attr) []slog.Attr {
	a.Value = a.Value.Resolve()
	if a.Value.Kind() != slog.KindGroup {
		if a.Key == "" {
			return nil
		}
		return []slog.Attr{{Key: group + a.Key, Value: a.Value}}
	}
	if a.Key != "" {
		group += a.Key + "."
	}
	var all []slog.Attr
	for _, inner := range a.Value.Group() {
		all = append(all, flatten(group, inner)...)
	}
	return all
}

// fieldName is a name as the journal takes it: capital letters, digits and underscores, not too long.
func fieldName(key string) string {
	if name := journalFields[key]; name != "" {
		return name
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, "H2K_"+key)
	const longest = 64 // sd_journal_print(3)
	return name[:min(len(name), longest)]
}

func priorityOf(l slog.Level) journal.Priority {
	switch {
	case l >= slog.LevelError:
		return journal.PriErr
	case l >= slog.LevelWarn:
		return journal.PriWarning
	case l >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}
