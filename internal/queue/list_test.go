package queue

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestJobsOfALongQueue lists more entries than are looked at together: all of them, by name, whenever the caller stops.
func TestJobsOfALongQueue(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	const n = 3*looksAtOnce + 17
	var want []string
	for i := range n {
		name := fmt.Sprintf("vm%04d.vmdk", i)
		want = append(want, name)
		if err := os.WriteFile(s.path(DirQueued, name), []byte("abc"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(s.path(DirQueued, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", s.path(DirQueued, "link.vmdk")); err != nil {
		t.Fatal(err)
	}
	want = append([]string{"folder", "link.vmdk"}, want...)
	for _, limit := range []int{0, 1, looksAtOnce, looksAtOnce + 1, n} {
		var got []string
		for j, err := range s.Jobs(t.Context(), Filter{Limit: limit}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, j.Name)
			switch j.Name {
			case "folder":
				if j.Size != 0 || j.State != Queued {
					t.Errorf("a folder is listed as %+v", j)
				}
			case "link.vmdk":
				if j.State != Ignored {
					t.Errorf("a link is listed as %+v", j)
				}
			default:
				if j.Size != 3 || j.QueuedAt == nil || j.Submitter == nil || int(*j.Submitter) != os.Getuid() {
					t.Fatalf("a file is listed as %+v", j)
				}
			}
		}
		all := want
		if limit > 0 {
			all = want[:limit]
		}
		if !slices.Equal(got, all) {
			t.Fatalf("limit %d: got %d names, want %d, or another order", limit, len(got), len(all))
		}
	}
	for j, err := range s.Jobs(t.Context(), Filter{NamesOnly: true}) {
		if err != nil || j.QueuedAt != nil || j.Size != 0 || j.Path != s.path(DirQueued, j.Name) {
			t.Fatalf("by names only: %+v, %v", j, err)
		}
	}
}
