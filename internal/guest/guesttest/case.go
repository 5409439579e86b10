package guesttest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/guest"
)

// update writes want/ anew from what the fixers do: look at the difference before you believe it.
var update = flag.Bool("update-cases", false, "write the wanted trees of fixer cases anew")

// Case is one directory below testdata/cases: root/ is the guest as it comes, want/ holds the files that are new or different
// afterwards, and case.json says the rest.
type Case struct {
	Name     string          `json:"-"`
	About    string          `json:"about"`              // one line: what the case is there for
	System   guest.System    `json:"system"`             // what the appliance knows: volumes, mounts, root
	Options  json.RawMessage `json:"options,omitempty"`  // for the fixers, in the shape of their package
	Modes    map[string]int  `json:"modes,omitempty"`    // permissions in decimal that git does not keep, of root/ and of want/: 384 for 0600
	Removed  []string        `json:"removed,omitempty"`  // files that go
	Runs     [][]string      `json:"runs,omitempty"`     // commands in order; an argument "*" stands for any text
	Warnings []string        `json:"warnings,omitempty"` // a part of each warning, in order
}

// Setup makes what a case needs beyond its directory.
type Setup struct {
	// Fixers returns the list under test.
	Fixers func(t *testing.T, c Case) []guest.Fixer
	// Fill adds to the tree what does not belong in a repository, such as an initramfs. It may set OnRun. nil = nothing.
	Fill func(t *testing.T, c Case, tree *Tree)
	// Inspect fills System from the tree. nil = the system of case.json stands.
	Inspect func(t *testing.T, c Case, tree *Tree) guest.System
}

// RunCases runs every case below dir: the plan must be what the case says, the diffs of a dry run those of the real one, and a second
// run must find nothing to do.
func RunCases(t *testing.T, dir string, setup Setup) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		ran++
		t.Run(e.Name(), func(t *testing.T) {
			runCase(t, filepath.Join(dir, e.Name()), setup)
		})
	}
	if ran == 0 {
		t.Fatalf("%s holds no cases", dir)
	}
}

func runCase(t *testing.T, dir string, setup Setup) {
	t.Helper()
	c := readCase(t, dir)
	tree := LoadTree(t, filepath.Join(dir, "root"))
	c.chmod(tree)
	if setup.Fill != nil {
		setup.Fill(t, c, tree)
	}
	system := c.System
	if setup.Inspect != nil {
		system = setup.Inspect(t, c, tree)
	}
	before := tree.Clone()
	work, err := guest.NewWork(t.Context(), system, tree, setup.Fixers(t, c))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := guest.Apply(t.Context(), tree, work.Changes, quiet{}, time.Now); err != nil {
		t.Fatalf("apply: %v", err)
	}
	if *update {
		writeWant(t, dir, before, tree)
	}
	c.compareTrees(t, filepath.Join(dir, "want"), before, tree)
	c.compareRuns(t, work.Changes)
	c.compareWarnings(t, work.Warnings)
	if setup.Inspect != nil {
		system = setup.Inspect(t, c, tree)
	}
	again, err := guest.NewWork(t.Context(), system, tree, setup.Fixers(t, c))
	if err != nil {
		t.Fatalf("second run: %v", err)
	}
	for _, ch := range again.Changes {
		t.Errorf("the second run still wants: %s: %s %v\n%s", ch.Fixer, ch.Why, ch.Run, ch.Diff())
	}
}

func readCase(t *testing.T, dir string) Case {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "case.json"))
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	c := Case{Name: filepath.Base(dir)}
	if err := d.Decode(&c); err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	if c.About == "" {
		t.Errorf("%s: case.json does not say what the case is about", dir)
	}
	return c
}

func (c Case) chmod(tree *Tree) {
	for name, mode := range c.Modes {
		if f, ok := tree.Get(name); ok {
			f.Mode = f.Mode.Type() | fs.FileMode(mode)
			tree.Put(name, f)
		}
	}
}

// compareTrees looks at every file that is there before, after or in want/.
func (c Case) compareTrees(t *testing.T, dir string, before, after *Tree) {
	t.Helper()
	want := NewTree()
	if _, err := os.Stat(dir); err == nil {
		want = LoadTree(t, dir)
		c.chmod(want)
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, name := range union(before.Files(), after.Files(), want.Files()) {
		had, _ := before.Get(name)
		got, is := after.Get(name)
		wanted, changes := want.Get(name)
		switch {
		case slices.Contains(c.Removed, name):
			if is {
				t.Errorf("%s is still there", name)
			}
			continue
		case !changes:
			wanted = had
		case !before.has(name) && c.Modes[name] == 0:
			wanted.Mode = got.Mode // a new file's mode is stated in case.json where it matters
		case c.Modes[name] == 0:
			wanted.Mode = had.Mode
		}
		if !is {
			t.Errorf("%s is gone", name)
			continue
		}
		if wanted.Link != got.Link || wanted.Mode != got.Mode || !bytes.Equal(wanted.Data, got.Data) {
			d := guest.Change{Path: name, Before: &wanted, After: &got}
			t.Errorf("%s is not as wanted (want -, got +; modes %v, %v):\n%s", name, wanted.Mode, got.Mode, d.Diff())
		}
	}
}

func (t *Tree) has(name string) bool { _, ok := t.files[name]; return ok }

func (c Case) compareRuns(t *testing.T, changes []guest.Change) {
	t.Helper()
	var got [][]string
	for _, ch := range changes {
		if ch.Run != nil {
			got = append(got, ch.Run.Args)
		}
	}
	same := slices.EqualFunc(c.Runs, got, func(want, got []string) bool {
		return slices.EqualFunc(want, got, func(w, g string) bool { return w == "*" || w == g })
	})
	if !same {
		t.Errorf("commands are %q, want %q", got, c.Runs)
	}
}

func (c Case) compareWarnings(t *testing.T, got []guest.Warning) {
	t.Helper()
	same := slices.EqualFunc(c.Warnings, got, func(part string, w guest.Warning) bool { return strings.Contains(w.Message, part) })
	if !same {
		t.Errorf("warnings are %+v, want %q", got, c.Warnings)
	}
}

func union(lists ...[]string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(lists...))))
}

func writeWant(t *testing.T, dir string, before, after *Tree) {
	t.Helper()
	want := filepath.Join(dir, "want")
	if err := os.RemoveAll(want); err != nil {
		t.Fatal(err)
	}
	for _, name := range after.Files() {
		had, ok := before.Get(name)
		got, _ := after.Get(name)
		if ok && had.Link == got.Link && bytes.Equal(had.Data, got.Data) {
			continue
		}
		p := filepath.Join(want, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(p), 0o755)
		switch {
		case err != nil:
		case got.Link != "":
			err = os.Symlink(got.Link, p)
		default:
			err = os.WriteFile(p, got.Data, got.Mode.Perm()|0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// quiet is a journal that nobody reads.
type quiet struct{}

func (quiet) Log(string) {}

func (quiet) Keep(ctx context.Context, tree guest.FS, name string) error {
	_, err := guest.Read(ctx, tree, name)
	return err
}
