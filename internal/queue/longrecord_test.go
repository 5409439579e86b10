package queue

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A job whose story is too long for a record still ends: the longest of the caller's fields gives way.
func TestTooLongAnErrorEndsTheJobAllTheSame(t *testing.T) {
	s := start(t, t.TempDir(), StartOptions{})
	drop(t, s, "x.vmdk", "one")
	c := claimName(t, s, "x.vmdk", Need{})
	err := c.Fail(t.Context(), Outcome{Fields: map[string]any{
		"code": "H2K-IMG-001", "error": "broken", "warnings": strings.Repeat("w", maxFinal), "problems": strings.Repeat("p", maxFinal/2),
	}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(s.path(DirFailed, "*", "x.vmdk.error.json"))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	_ = json.Unmarshal(b, &got) // numbers among the fields are not asked for
	if got["code"] != "H2K-IMG-001" || !strings.HasPrefix(got["warnings"], "left out") || len(got["problems"]) != maxFinal/2 {
		t.Errorf("code %q, warnings %.40q, %d bytes of problems", got["code"], got["warnings"], len(got["problems"]))
	}
}

// What the claim made a directory of, and the daemon therefore owns, stays its submitter's when it is tried again.
func TestRetriedJobBelongsToItsSubmitter(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: giving files to another user needs root")
	}
	s := start(t, t.TempDir(), StartOptions{})
	for _, name := range []string{"job.yaml", "x.raw"} {
		drop(t, s, name, "content of "+name)
		if err := os.Chown(s.path(DirQueued, name), 4242, 4242); err != nil {
			t.Fatal(err)
		}
	}
	c := claimName(t, s, "job.yaml", Need{Members: []string{"x.raw"}})
	if err := c.Fail(t.Context(), Outcome{Fields: map[string]any{"error": "no"}}); err != nil {
		t.Fatal(err)
	}
	j, err := s.Find(t.Context(), "job")
	if err != nil {
		t.Fatal(err)
	}
	name, err := s.Retry(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	again := claimName(t, s, name, Need{})
	if got := again.Record().Submitter; got != 4242 {
		t.Errorf("submitter of %q is %d, want 4242", name, got)
	}
}

// A place to build in that somebody else put there is not used.
func TestPartialOfOthersIsRefused(t *testing.T) {
	s, out := start(t, t.TempDir(), StartOptions{}), t.TempDir()
	elsewhere := t.TempDir()
	if err := os.Symlink(elsewhere, filepath.Join(out, partialDir)); err != nil {
		t.Fatal(err)
	}
	drop(t, s, "x.vmdk", "one")
	c := claimName(t, s, "x.vmdk", Need{})
	if dir, err := c.Partial(t.Context(), out); err == nil {
		t.Errorf("builds in %q through a symbolic link", dir)
	}
	if names, _ := os.ReadDir(elsewhere); len(names) > 0 {
		t.Error("something was made behind the link:", names)
	}
}
