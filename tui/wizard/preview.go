package wizard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/tui/look"
	"hyper2kvm/tui/wizard/answers"
)

// MaxPlanned is how many VMs of a manifest are planned: each means to open its disks.
const MaxPlanned = 32

// Preview is what would become of the answers: a dry run of their jobs.
type Preview struct {
	VMs    []Planned // in the form's order, at most MaxPlanned
	Places []Place   // where the jobs need room
	Past   int       // finished jobs that the times are estimated from
	Before int       // jobs that are queued already
}

// Planned is what would become of one VM.
type Planned struct {
	Name  string
	Plan  []string // line by line, as hyperctl plan words it
	Fails string   // why the job would fail; "" = nothing is known that speaks against it
	Code  string   // of that
	Hint  string   // what to do about it
	Took  time.Duration
	Known bool     // Took is an estimate, and not nothing
	Apart []string // what Took leaves out: stages that never ran here
}

// Place is a file system that the jobs need room on. Sizes are in bytes.
type Place struct {
	What     string // output, queue
	Dir      string
	Free     int64
	Total    int64
	Reserved int64  // by jobs that run
	Need     int64  // at most, of all jobs together
	Vague    bool   // more is needed: of some it is not known
	Repairs  bool   // Need has room for the repair of guests
	Unknown  string // why nothing is known of it; "" = something is
}

// Short tells whether the jobs may not fit.
func (p Place) Short() bool { return p.Unknown == "" && p.Need > p.Free-p.Reserved }

// String is a place on one line.
func (p Place) String() string { return strings.TrimSpace(p.What+" "+p.Dir) + ": " + p.Room() }

// Room is what is free there, and what is needed of it.
func (p Place) Room() string {
	if p.Unknown != "" {
		return p.Unknown
	}
	s := look.Bytes(p.Free) + " free"
	if p.Reserved > 0 {
		s += ", " + look.Bytes(p.Reserved) + " of it reserved"
	}
	switch {
	case p.Vague && p.Need == 0:
		return s + "; the need is known when the sources are unpacked"
	case p.Vague:
		return s + "; needs more than " + look.Bytes(p.Need)
	case p.Need == 0:
		return s + "; nothing is needed"
	}
	s += "; needs at most " + look.Bytes(p.Need)
	if p.Repairs {
		s += " with repairs"
	}
	return s
}

// Fails are the VMs whose jobs would fail.
func (p Preview) Fails() []Planned {
	var out []Planned
	for _, vm := range p.VMs {
		if vm.Fails != "" {
			out = append(out, vm)
		}
	}
	return out
}

// Time is how long the jobs take, one after the other, and from what that is known; "" when one would fail.
func (p Preview) Time() string {
	if len(p.Fails()) > 0 {
		return ""
	}
	var sum time.Duration
	var apart []string
	for _, vm := range p.VMs {
		if !vm.Known {
			if p.Past == 0 {
				return "time unknown: no job has finished here that it could be estimated from"
			}
			return "time unknown"
		}
		sum += vm.Took
		apart = append(apart, vm.Apart...)
	}
	sum = max(sum, time.Second)
	from := "1 job"
	if p.Past > 1 {
		from = fmt.Sprintf("%d jobs", p.Past)
	}
	s := "about " + look.Duration(sum) + ", as the last " + from + " went"
	if len(apart) > 0 {
		slices.Sort(apart)
		s = "at least " + look.Duration(sum) + ", as the last " + from + " went, and what " + strings.Join(slices.Compact(apart), " and ") + " takes, which is not known here"
	}
	if len(p.VMs) > 1 {
		s += ", if one runs at a time"
	}
	return s
}

// Turn says what stands before the jobs; "" for nothing.
func (p Preview) Turn() string {
	switch p.Before {
	case 0:
		return ""
	case 1:
		return "1 job is queued before it"
	}
	return fmt.Sprintf("%d jobs are queued before it", p.Before)
}

// Objection is what speaks against submitting; "" for nothing.
func (p Preview) Objection() string {
	if fails := p.Fails(); len(fails) > 0 {
		s := fails[0].Name + " would fail: " + strings.TrimSpace(fails[0].Code+" "+fails[0].Fails)
		if len(fails) > 1 {
			s += fmt.Sprintf(" (and %d more)", len(fails)-1)
		}
		return s
	}
	for _, place := range p.Places {
		if place.Short() {
			return "the space runs short, so that the job waits: " + place.String()
		}
	}
	return ""
}

// version is what a preview is about.
type version struct {
	form int
	copy bool
}

// previews is what is known of the answers' future.
type previews struct {
	last    Preview
	of      version // what last is about; the zero version = there is none yet
	asked   version // what is being looked at
	looking bool
	failure error // why there is none
}

type previewMsg struct {
	of      version
	preview Preview
	err     error
}

// now is the version that a preview should be about.
func (m *model) now() version { return version{m.version, m.result.Copy} }

// look makes a preview where it is shown, one at a time, of answers that have been found to be right.
func (m *model) look() tea.Cmd {
	p := &m.preview
	failures, _ := m.counts()
	if m.opt.Preview == nil || m.page&(pageOutput|pageReview) == 0 || p.looking || p.asked == m.now() || m.checked != m.version || failures > 0 {
		return nil
	}
	p.looking, p.asked = true, m.now()
	form, of, do, g, ctx := m.form.Clone(), p.asked, m.opt.Preview, m.gate, m.ctx
	return func() tea.Msg {
		msg := previewMsg{of: of}
		msg.preview, msg.err = pass(ctx, g, func(ctx context.Context) (Preview, error) { return do(ctx, form, of.copy) })
		return msg
	}
}

func (m *model) gotPreview(msg previewMsg) {
	p := &m.preview
	p.looking = false
	p.of, p.failure = msg.of, msg.err
	if msg.err == nil {
		p.last = msg.preview
	}
}

// foreseen is the preview of the answers as they are; false while there is none.
func (m *model) foreseen() (Preview, bool) {
	p := &m.preview
	return p.last, p.of == m.now() && p.failure == nil
}

// ofVM is what is planned for the VM that is shown.
func (m *model) ofVM(p Preview) (Planned, bool) {
	if m.vm >= len(p.VMs) {
		return Planned{}, false
	}
	return p.VMs[m.vm], true
}

// PreviewFunc makes the preview of a form whose answers are right. With copy, the files are handed in with the manifest.
type PreviewFunc func(ctx context.Context, f answers.Form, copy bool) (Preview, error)
