package tui

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/look"
)

// stages of a job, in their order.
var stages = []string{"load", "inspect", "fix", "convert", "validate"}

// label is how wide the names at the left of a page are.
const label = 11

// rows writes name and value, the value wrapped beside the name.
func rows(w int, name, value string, role look.Role) []line {
	var out []line
	for i, l := range look.Wrap(value, w-label-2) {
		n := name
		if i > 0 {
			n = ""
		}
		out = append(out, line{spans: []look.Span{{Text: " " + look.Left(n, label, ""), Role: look.Dim}, {Text: l, Role: role}}})
	}
	return out
}

// details is everything that is known of the job under the cursor.
func (m *model) details(w int) []line {
	j := m.detail.Job
	if j.Name == "" {
		return []line{text(look.Dim, " no job")}
	}
	icon, role := m.paint.State(j.State)
	state := icon + " " + string(j.State)
	if warned(j) {
		icon, role = m.stateIcon(j)
		state += ", " + icon + " with warnings: see below"
	}
	out := rows(w, "State", state, role)
	add := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			out = append(out, rows(w, name, value, look.Text)...)
		}
	}
	if j.State != queue.Done {
		add("Why", j.Reason)
	}
	add("Code", j.Code)
	add("Id", j.ID)
	kind := j.Kind
	if j.Size > 0 {
		kind += " " + look.Bytes(j.Size)
	}
	add("Kind", kind)
	if j.Priority != 0 {
		add("Priority", queue.PriorityText(j.Priority))
	}
	add("By", m.by(j))
	add("Entry", j.Path)
	if j.OriginalName != j.Name {
		add("Came as", j.OriginalName)
	}
	add("Queued", m.when(j.QueuedAt))
	add("Started", m.when(j.StartedAt))
	add("Ended", m.when(j.FinishedAt))
	if j.StartedAt != nil && j.FinishedAt != nil {
		add("Took", tookText(j.FinishedAt.Sub(*j.StartedAt)))
	}
	add("Output", j.OutputDir)
	for _, warn := range m.detail.Ended.Warnings {
		out = append(out, rows(w, "Warning", warn.Code+" "+warn.Message, look.Warn)...)
	}
	out = append(out, m.stageLines(w)...)
	if r := m.detail.Report; r != nil {
		for _, d := range r.Disks {
			add("Disk", diskText(m, d))
		}
	}
	add("Log", j.LogPath)
	return out
}

func (m *model) when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.Format(time.DateTime) + " (" + ageText(m.now.Sub(*t)) + " ago)"
}

func diskText(m *model, d manifest.DiskReport) string {
	s := fmt.Sprintf("%s, %s, virtual %s, allocated %s %s %s, %s", d.Source, d.SourceFormat, look.Bytes(d.VirtualSize), look.Bytes(d.AllocatedBytes),
		m.paint.Glyph(look.Arrow), d.Output, look.Bytes(d.OutputBytes))
	if d.Proved {
		s += ", read back and proved equal"
	}
	return s
}

// stageLines is how far each stage is, where that is known: of a running job by its progress, of a done one by its report, of a
// failed one by the stage that failed.
func (m *model) stageLines(w int) []line {
	j := m.detail.Job
	var out []line
	add := func(state queue.State, name, what string) {
		icon, role := m.paint.State(state)
		for i, l := range look.Wrap(what, w-label-5) {
			if i > 0 {
				icon, name = " ", ""
			}
			out = append(out, line{spans: []look.Span{{Text: "  " + icon + " ", Role: role}, {Text: look.Left(name, label-1, ""), Role: look.Text}, {Text: l, Role: look.Dim}}})
		}
	}
	switch p := j.Progress; {
	case m.detail.Report != nil:
		for _, s := range m.detail.Report.Stages {
			state := map[string]queue.State{manifest.StageDone: queue.Done, manifest.StageFailed: queue.Failed}[s.Status]
			if state == "" {
				state = queue.Ignored
			}
			add(state, s.Name, strings.TrimSpace(stageOutcome(s)))
		}
	case j.State == queue.Running && p != nil:
		for i, name := range stages {
			switch {
			case i+1 < p.StageIndex:
				add(queue.Done, name, "over")
			case i+1 == p.StageIndex:
				add(queue.Running, name, stageText(p))
			default:
				add(queue.Waiting, name, "to come")
			}
		}
	case j.State == queue.Failed && m.detail.Ended.Stage != "":
		reached := false
		for _, name := range stages {
			switch {
			case name == m.detail.Ended.Stage:
				reached = true
				add(queue.Failed, name, "failed")
			case reached:
				add(queue.Ignored, name, "not run")
			default:
				add(queue.Done, name, "over")
			}
		}
	}
	if len(out) > 0 {
		out = append([]line{text(look.Title, " Stages")}, out...)
	}
	return out
}

// stageOutcome is how a stage ended, how long it took if it ran, and why it did not.
func stageOutcome(s manifest.StageReport) string {
	if s.Status != manifest.StageDone && s.Seconds == 0 {
		return s.Status + " " + s.Reason
	}
	return s.Status + " " + tookText(time.Duration(s.Seconds*float64(time.Second))) + " " + s.Reason
}

// tookText is how long something took: tenths of a second while that says more than seconds do.
func tookText(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
	}
	return look.Duration(d)
}

func stageText(p *queue.Progress) string {
	s := "under way"
	if p.BytesTotal > 0 {
		s = fmt.Sprintf("%s of %s, %d%%", look.Bytes(p.BytesDone), look.Bytes(p.BytesTotal), int(100*part(p)))
		if r := look.Rate(p.BytesPerSec); r != "" {
			s += ", " + r
		}
		if e := look.ETA(p.ETASeconds); e != "" {
			s += ", " + e + " left"
		}
	}
	if p.Message != "" {
		s += ", " + p.Message
	}
	return s
}

// tries are what a person may do about a job that failed or waits, the most useful first.
func (m *model) tries(j queue.Job, hint string) []string {
	key := quote(j.Name)
	if j.ID != "" {
		key = j.ID
	}
	if j.Hint != "" {
		hint = j.Hint
	}
	var out []string
	if hint != "" {
		out = append(out, strings.ReplaceAll(hint, " JOB", " "+key))
	}
	if j.State == queue.Failed {
		out = append(out, "r retries it from the start, as does: hyperctl workflow retry "+key)
		if j.Kind == "manifest" {
			out = append(out, "E opens its manifest, for a new job with other answers")
		}
	}
	if j.Code != "" {
		out = append(out, "hyperctl explain "+quote(j.Code))
	}
	if j.State == queue.Failed {
		out = append(out, "b writes a support archive about it")
	}
	return out
}

// errorText says what happened to a failed job, and what to try; of one that waits, why.
func (m *model) errorText(w int) []line {
	j, e := m.detail.Job, m.detail.Ended
	icon, role := m.paint.State(j.State)
	head := icon + " " + strings.ToUpper(string(j.State))
	if e.Stage != "" {
		head += " in stage " + e.Stage
	}
	if j.FinishedAt != nil {
		head += " " + m.paint.Glyph(look.Dot) + " " + j.FinishedAt.Format(time.TimeOnly)
		if j.StartedAt != nil {
			head += " " + m.paint.Glyph(look.Dot) + " ran " + tookText(j.FinishedAt.Sub(*j.StartedAt))
		}
	}
	out := []line{{spans: m.fit([]look.Span{{Text: " " + head, Role: role}}, w)}, {}}
	add := func(name, value string) {
		if strings.TrimSpace(value) != "" {
			out = append(out, rows(w, name, value, look.Text)...)
		}
	}
	add("What", j.Reason)
	for i, s := range strings.Split(e.Exception, "\n") {
		if i > 0 || s != j.Reason {
			add("", s)
		}
	}
	code, known := manifest.LookupCode(j.Code)
	if known {
		add("Code", j.Code+" "+code.Title)
		add("Why", code.Cause)
	} else {
		add("Code", j.Code)
	}
	out = append(out, line{})
	if j.State == queue.Failed {
		add("Source", "not changed: it is only ever read, and stands at "+j.Path)
	}
	for i, try := range m.tries(j, code.Hint) {
		name := "Try"
		if i > 0 {
			name = ""
		}
		for n, l := range look.Wrap(try, w-label-5) {
			number := fmt.Sprintf("%d  ", i+1)
			if n > 0 {
				name, number = "", "   "
			}
			out = append(out, line{spans: []look.Span{{Text: " " + look.Left(name, label, ""), Role: look.Dim}, {Text: number, Role: look.Key}, {Text: l}}})
		}
	}
	if j.State == queue.Failed {
		out = append(out, line{})
		add("Files", filepath.Join(queue.DirFailed, j.Date, j.Name+".error.json"))
		add("", j.LogPath)
	}
	if len(m.logLines()) > 0 {
		out = append(out, line{}, m.rule(w, "log", "l: all of it"))
		out = append(out, m.logEnd(w, 12)...)
	}
	return out
}
