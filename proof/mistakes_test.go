package proof_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// seeded is one mistake of cmd/hyper2kvmd/seam_mistakes.go with what must find it.
type seeded struct {
	name   string
	disks  []string // file systems on which power cuts find it
	states int      // that may be tried on each, where it takes more than mistakeStates
	script string   // or the test script of cmd/hyper2kvmd that does
}

// allFileSystems is where a mistake that any file system shows is looked for.
var allFileSystems = []string{"ext4", "xfs", "btrfs", "ext4, two disks"}

// seededMistakes are looked for by the suite; one that it does not find is a hole in it.
var seededMistakes = []seeded{
	{name: "no-sync-anywhere", disks: allFileSystems},
	// ext4 commits its whole journal with any sync of a file, and so hardly ever shows this one.
	{name: "no-directory-sync", disks: []string{"xfs", "btrfs", "xfs, two disks"}, states: 1000},
	{name: "no-file-sync", disks: allFileSystems},
	{name: "meta-not-synced", disks: allFileSystems},
	{name: "record-not-synced", disks: allFileSystems},
	{name: "output-dir-not-synced", disks: []string{"ext4, two disks", "xfs, two disks"}},
	{name: "commit-before-output", disks: allFileSystems},
	{name: "commit-before-record", disks: allFileSystems},
	{name: "meta-never-written", disks: allFileSystems},
	{name: "record-gone-before-move", disks: allFileSystems},
	{name: "source-left-in-place", disks: allFileSystems},
	{name: "source-copied-not-moved", disks: allFileSystems},
	{name: "source-deleted-when-done", disks: allFileSystems},
	{name: "parts-not-delivered", disks: allFileSystems},
	{name: "partial-kept", disks: allFileSystems},
	{name: "record-kept", disks: allFileSystems},
	{name: "record-written-in-place", disks: allFileSystems},
	{name: "members-left-in-folder", disks: allFileSystems},
	{name: "job-not-synced", disks: []string{"ext4, two disks", "xfs, two disks"}},
	{name: "source-replaces", script: "same_name"},
	{name: "output-replaces", script: "same_name"},
	{name: "meta-replaces", script: "same_name"},
	{name: "members-back-first", script: "put_back"},
	{name: "lock-closed-early", script: "second_daemon"},
	{name: "job-digest-not-compared", script: "damaged_output"},
	{name: "crashes-not-counted", script: "crash_loop"},
	{name: "failed-sync-retried"}, // by TestFailedSync
}

// TestEveryMistakeIsLookedFor holds the list above against the mistakes that the programs can make.
func TestEveryMistakeIsLookedFor(t *testing.T) {
	for file, pattern := range map[string]string{
		"../cmd/hyper2kvmd/seam_mistakes.go": `(?m)^\t\t"([a-z-]+)":`,
		"../internal/convert/seam_on.go":     `Getenv\("H2K_MISTAKE"\) == "([a-z-]+)"`,
	} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindAllSubmatch(b, -1)
		if len(found) < 2 {
			t.Errorf("%s has %d mistakes", file, len(found))
		}
		for _, name := range found {
			if !slices.ContainsFunc(seededMistakes, func(m seeded) bool { return m.name == string(name[1]) }) {
				t.Errorf("nobody looks for %s of %s", name[1], file)
			}
		}
	}
}

// mistakeStates is how many states may be tried for a mistake on each file system.
const mistakeStates = 200

// TestSeededMistakes makes each mistake in the real daemon and demands that it is found.
func TestSeededMistakes(t *testing.T) {
	if os.Getenv("PROOF_MISTAKES") == "" {
		t.Skip("SKIPPED: seeded mistakes take minutes; scripts/proof and PROOF_MISTAKES=1 run them")
	}
	srv := server(t)
	scripts := scriptTest(t)
	for _, m := range seededMistakes {
		t.Run(m.name, func(t *testing.T) {
			start := time.Now()
			row := finding{Fault: "seeded mistake", Mistake: m.name}
			switch {
			case m.script != "":
				row.States = 1
				out, failed := scripts(m.script, m.name)
				if failed {
					row.Violations, row.Note = 1, "script "+m.script+": "+firstFault(out)
				}
			case len(m.disks) == 0:
				row.States = 1
				if fault := failedSync(t, srv, m.name); fault != nil {
					row.Violations, row.Note = 1, "failed sync: "+fault.Error()
				}
			default:
				for _, f := range fileSystems {
					if row.Violations > 0 || !contains(m.disks, f.name) || f.missing() != "" {
						continue
					}
					c := cutPower(t, srv, f, max(m.states, setting(t, "PROOF_MISTAKE_STATES", mistakeStates)), 1, m.name)
					row.States += c.states
					if len(c.violations) > 0 {
						row.Violations, row.Note = len(c.violations), f.name+": "+firstFault(c.violations[0])
					}
				}
			}
			row.Note, _, _ = strings.Cut(row.Note, "\n")
			row.Note = fmt.Sprintf("%.160s (%s)", row.Note, time.Since(start).Round(time.Second))
			report(t, row)
			if row.Violations == 0 {
				t.Errorf("the suite does not find %s in %d states", m.name, row.States)
			}
		})
	}
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// firstFault is the line of a report that says most.
func firstFault(text string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "FAIL: ") || !strings.Contains(line, "testscript") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// scriptTest builds the test of the daemon's scripts once; the function that it returns runs one with a mistake in force.
func scriptTest(t *testing.T) func(script, mistake string) (out string, failed bool) {
	t.Helper()
	dir, err := filepath.Abs("../cmd/hyper2kvmd")
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "scripts.test")
	build := exec.Command("go", "test", "-c", "-o", bin, ".")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the scripts' test: %v\n%s", err, out)
	}
	return func(script, mistake string) (string, bool) {
		cmd := exec.Command(bin, "-test.run", "^TestScripts$/^"+script+"$", "-test.timeout", "4m")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "H2K_MISTAKE="+mistake, "H2K_TEST_BIN="+built.dir)
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "no tests to run") || strings.Contains(string(out), "--- SKIP") {
			t.Fatalf("script %s did not run:\n%s", script, out)
		}
		return string(out), err != nil
	}
}
