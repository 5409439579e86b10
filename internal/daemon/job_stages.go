package daemon

import (
	"slices"
	"time"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
)

// stagesSeen is what a child told of its stages while it ran: all that is known of them when it ends without a report.
type stagesSeen struct {
	clock func() time.Time
	list  []manifest.StageReport // that began or were left out, in the order of the messages
	since time.Time              // when the last one began that has not ended; zero = none is under way
}

// hear takes a message about a stage. The child has read a hostile image: names are only those that there are, each once.
func (s *stagesSeen) hear(m message) {
	at := slices.IndexFunc(s.list, func(r manifest.StageReport) bool { return r.Name == m.Stage })
	switch {
	case !slices.Contains(convert.StageNames(), m.Stage):
	case m.Status == stageStart && at < 0:
		s.since = s.clock()
		s.list = append(s.list, manifest.StageReport{Name: m.Stage})
	case m.Status == manifest.StageSkipped && at < 0:
		s.list = append(s.list, manifest.StageReport{Name: m.Stage, Status: m.Status, Reason: oneLine(m.Text)})
	case at >= 0 && s.list[at].Status == "" && (m.Status == manifest.StageDone || m.Status == manifest.StageFailed):
		s.since = time.Time{}
		s.list[at].Status, s.list[at].Reason, s.list[at].Seconds = m.Status, oneLine(m.Text), max(m.Took, 0).Seconds()
	}
}

// ended is how the stages of a job stood when it was ended from outside for a reason: those of its report, or else what it told.
func (s *stagesSeen) ended(r *manifest.Report, reason string) []manifest.StageReport {
	known := s.list
	if r != nil && len(r.Stages) > 0 {
		known = r.Stages
	}
	all := make([]manifest.StageReport, 0, len(convert.StageNames()))
	for _, name := range convert.StageNames() {
		st := manifest.StageReport{Name: name, Status: manifest.StageNotRun}
		if at := slices.IndexFunc(known, func(r manifest.StageReport) bool { return r.Name == name }); at >= 0 {
			st = known[at]
		}
		switch st.Status {
		case "": // it began, and nobody said that it ended
			st.Status, st.Reason = manifest.StageFailed, reason
			if !s.since.IsZero() {
				st.Seconds = max(s.clock().Sub(s.since), 0).Round(time.Millisecond).Seconds()
			}
		case manifest.StageFailed, manifest.StageNotRun:
			st.Reason = reason
		}
		all = append(all, st)
	}
	return all
}
