package daemon

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/manifest"
)

// stageWords is the list of stages in a record, on one line.
func stageWords(t *testing.T, record map[string]any) string {
	t.Helper()
	b, err := json.Marshal(record["stages"])
	if err != nil {
		t.Fatal(err)
	}
	var list []manifest.StageReport
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, st := range list {
		word := st.Name + " " + st.Status
		if st.Reason != "" {
			word += " (" + st.Reason + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestStagesOfAJobThatWasEnded(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	say := func(stage, status, text string) message {
		return message{Type: msgStage, Stage: stage, Status: status, Text: text, Took: 2 * time.Second}
	}
	for name, tt := range map[string]struct {
		heard  []message
		report *manifest.Report
		want   string
	}{
		"before it began": {want: "load not-run (no), inspect not-run (no), fix not-run (no), convert not-run (no), validate not-run (no)"},
		"under way": {
			heard: []message{say("load", stageStart, ""), say("load", "done", ""), say("inspect", stageStart, "")},
			want:  "load done, inspect failed (no), fix not-run (no), convert not-run (no), validate not-run (no)",
		},
		"between two stages": {
			heard: []message{say("load", stageStart, ""), say("load", "done", "")},
			want:  "load done, inspect not-run (no), fix not-run (no), convert not-run (no), validate not-run (no)",
		},
		"with a report": {
			heard:  []message{say("load", stageStart, "")},
			report: &manifest.Report{Stages: []manifest.StageReport{{Name: "load", Status: "done"}, {Name: "inspect", Status: "failed", Reason: "context canceled"}}},
			want:   "load done, inspect failed (no), fix not-run (no), convert not-run (no), validate not-run (no)",
		},
		"from a child that lies": {
			heard: []message{
				say("evil", stageStart, ""), say("load", "done", ""), say("load", stageStart, ""), say("load", stageStart, ""), say("load", "perfect", ""),
				say("load", "done", ""), say("load", "failed", "again"), say("fix", "skipped", "a\x1b[31m\nb"),
			},
			want: `load done, inspect not-run (no), fix skipped (a\x1b[31m\nb), convert not-run (no), validate not-run (no)`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := stagesSeen{clock: clock}
			for _, m := range tt.heard {
				s.hear(m)
			}
			now = now.Add(3 * time.Second)
			list := s.ended(tt.report, "no")
			if got := stageWords(t, map[string]any{"stages": list}); got != tt.want {
				t.Errorf("the stages are\n%s, want\n%s", got, tt.want)
			}
			for _, st := range list {
				if st.Status == manifest.StageFailed && tt.report == nil && st.Seconds != 3 {
					t.Errorf("%s took %v s, want 3", st.Name, st.Seconds)
				}
			}
		})
	}
}
