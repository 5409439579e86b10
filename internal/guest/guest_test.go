package guest_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// fixer is a Fixer that a test writes down.
type fixer struct {
	name string
	plan func(ctx context.Context, tree guest.FS) (guest.Proposal, error)
}

func (f fixer) Name() string { return f.name }
func (f fixer) Plan(ctx context.Context, _ guest.System, tree guest.FS) (guest.Proposal, error) {
	return f.plan(ctx, tree)
}

// replace is a fixer that changes a word in a file.
func replace(name, path, from, to string) fixer {
	return fixer{name, func(ctx context.Context, tree guest.FS) (guest.Proposal, error) {
		b, err := tree.ReadFile(ctx, path)
		if err != nil {
			return guest.Proposal{}, err
		}
		c, ok, err := guest.Edit(ctx, tree, path, from+" becomes "+to, []byte(strings.ReplaceAll(string(b), from, to)))
		if !ok || err != nil {
			return guest.Proposal{}, err
		}
		return guest.Proposal{Changes: []guest.Change{c}, Warnings: []guest.Warning{{Message: "look at " + path}}}, nil
	}}
}

// notes is a Journal that remembers.
type notes struct {
	lines, kept []string
}

func (n *notes) Log(line string) { n.lines = append(n.lines, line) }

func (n *notes) Keep(ctx context.Context, tree guest.FS, name string) error {
	f, err := guest.Read(ctx, tree, name)
	if err != nil {
		return err
	}
	n.kept = append(n.kept, name+"="+string(f.Data)+f.Link)
	return nil
}

func TestFixersSeeWhatTheOnesBeforeThemWant(t *testing.T) {
	tree := guesttest.NewTree()
	tree.Text("/etc/fstab", "a b\n")
	work, err := guest.NewWork(t.Context(), guest.System{}, tree, []guest.Fixer{
		replace("one", "/etc/fstab", "a", "b"), replace("two", "/etc/fstab", "b b", "c"), replace("idle", "/etc/fstab", "x", "y"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(work.Changes) != 1 {
		t.Fatalf("two edits of a file are %d changes", len(work.Changes))
	}
	c := work.Changes[0]
	if c.Fixer != "one, two" || string(c.Before.Data) != "a b\n" || string(c.After.Data) != "c\n" || !strings.Contains(c.Why, "; ") {
		t.Errorf("got %+v", c)
	}
	if len(work.Warnings) != 2 || work.Warnings[0].Fixer != "one" {
		t.Errorf("warnings %+v", work.Warnings)
	}
	want := "--- a/etc/fstab\n+++ b/etc/fstab\n@@ -1 +1 @@\n-a b\n+c\n"
	if c.Diff() != want {
		t.Errorf("diff\n%s\nwant\n%s", c.Diff(), want)
	}
	if b, _ := tree.ReadFile(t.Context(), "/etc/fstab"); string(b) != "a b\n" {
		t.Errorf("planning changed the guest: %q", b)
	}
}

func TestApply(t *testing.T) {
	tree := guesttest.NewTree()
	tree.Put("/etc/secret", guest.File{Data: []byte("old"), Mode: 0o600, UID: 3})
	tree.Text("/etc/gone", "x")
	tree.Put("/boot/initrd.img", guest.File{Data: []byte("old image"), Mode: 0o640, GID: 7})
	tree.OnRun = func(tree *guesttest.Tree, c guest.Command) (string, error) {
		tree.Text(c.Makes, "new image")
		return "built\n", nil
	}
	ctx := t.Context()
	edit, _, err := guest.Edit(ctx, tree, "/etc/secret", "it is old", []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	gone, _, err := guest.Remove(ctx, tree, "/etc/gone", "it is stale")
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := guest.Create(ctx, tree, "/etc/systemd/a.link", "it is missing", []byte("[Link]\n"), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	build := guest.Change{Path: "/boot/initrd.img", Why: "no virtio", Run: &guest.Command{
		Args: []string{"/sbin/build"}, Makes: "/var/tmp/new", NeedBytes: 10,
		Prove: func(ctx context.Context, tree guest.FS) error {
			b, err := tree.ReadFile(ctx, "/var/tmp/new")
			if err == nil && string(b) != "new image" {
				err = errors.New("not the image")
			}
			return err
		},
	}}
	n := &notes{}
	done, err := guest.Apply(ctx, tree, []guest.Change{edit, gone, made, build}, n, time.Now)
	if err != nil || len(done) != 4 || len(n.lines) != 4 {
		t.Fatalf("done %d, %v, %q", len(done), err, n.lines)
	}
	if f, _ := tree.Get("/etc/secret"); string(f.Data) != "new" || f.Mode != 0o600 || f.UID != 3 {
		t.Errorf("edited %+v", f)
	}
	if f, _ := tree.Get("/boot/initrd.img"); string(f.Data) != "new image" || f.Mode != 0o640 || f.GID != 7 {
		t.Errorf("built %+v", f)
	}
	if _, ok := tree.Get("/etc/gone"); ok {
		t.Error("a removed file is there")
	}
	if _, ok := tree.Get("/var/tmp/new"); ok {
		t.Error("what the command made is left behind")
	}
	if want := []string{"/etc/secret=old", "/etc/gone=x", "/boot/initrd.img=old image"}; !slices.Equal(n.kept, want) {
		t.Errorf("kept %q, want %q", n.kept, want)
	}
}

func TestApplyFailures(t *testing.T) {
	build := func(edit func(*guest.Command)) []guest.Change {
		c := &guest.Command{Args: []string{"/sbin/build"}, Makes: "/var/tmp/new", NeedBytes: 100}
		edit(c)
		return []guest.Change{{Fixer: "initramfs", Path: "/boot/initrd.img", Why: "no virtio", Run: c}}
	}
	for _, tc := range []struct {
		name  string
		edit  func(*guest.Command)
		onRun func(*guesttest.Tree, guest.Command) (string, error)
		room  int64
		want  error
	}{
		{"no room", func(*guest.Command) {}, nil, 50, guest.ErrSpace},
		{"a status", func(*guest.Command) {}, func(*guesttest.Tree, guest.Command) (string, error) {
			return "boom", fmt.Errorf("%w: status 1", guest.ErrCommand)
		}, 1 << 20, guest.ErrCommand},
		{"ends well and writes nothing", func(*guest.Command) {}, func(*guesttest.Tree, guest.Command) (string, error) { return "", nil }, 1 << 20, guest.ErrProof},
		{"does not hold what it should", func(c *guest.Command) {
			c.Prove = func(context.Context, guest.FS) error { return errors.New("no virtio_blk") }
		}, func(tree *guesttest.Tree, c guest.Command) (string, error) {
			tree.Text(c.Makes, "bad")
			return "", nil
		}, 1 << 20, guest.ErrProof},
	} {
		for _, optional := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, optional %t", tc.name, optional), func(t *testing.T) {
				tree := guesttest.NewTree()
				tree.Text("/boot/initrd.img", "old")
				tree.Mkdir("/var/tmp")
				tree.OnRun, tree.Room = tc.onRun, tc.room
				done, err := guest.Apply(t.Context(), tree, build(func(c *guest.Command) { tc.edit(c); c.Optional = optional }), &notes{}, time.Now)
				if f, _ := tree.Get("/boot/initrd.img"); string(f.Data) != "old" {
					t.Errorf("the old image became %q", f.Data)
				}
				if _, ok := tree.Get("/var/tmp/new"); ok {
					t.Error("what the command made is left behind")
				}
				if optional && !errors.Is(tc.want, guest.ErrSpace) {
					if err != nil || len(done) != 1 || done[0].Failed == "" {
						t.Errorf("got %+v, %v; want a step that failed and was left", done, err)
					}
					return
				}
				if !errors.Is(err, tc.want) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
			})
		}
	}
}

// TestRoomOfSteps: one image after the other takes the place of an old one, so that a small /boot does for several.
func TestRoomOfSteps(t *testing.T) {
	for room, want := range map[int64]error{249: guest.ErrSpace, 250: nil} {
		tree := guesttest.NewTree()
		tree.Room = room
		tree.OnRun = func(tree *guesttest.Tree, c guest.Command) (string, error) {
			tree.Text(c.Makes, "new")
			return "", nil
		}
		var changes []guest.Change
		for _, n := range []string{"/boot/initrd-1", "/boot/initrd-2", "/boot/initrd-3"} {
			tree.Text(n, strings.Repeat("x", 100))
			changes = append(changes, guest.Change{Path: n, Run: &guest.Command{Args: []string{"/sbin/build"}, Makes: "/var/tmp/new", NeedBytes: 150}})
		}
		if _, err := guest.Apply(t.Context(), tree, changes, &notes{}, time.Now); !errors.Is(err, want) {
			t.Errorf("room for %d bytes: got %v, want %v", room, err, want)
		}
	}
}

func TestPlannedTree(t *testing.T) {
	ctx := t.Context()
	base := guesttest.NewTree()
	base.Text("/etc/a", "a")
	base.Text("/etc/b", "b")
	base.Put("/etc/link", guest.File{Link: "a", Mode: fs.ModeSymlink | 0o777})
	p := guest.NewPlanned(base)
	p.Add([]guest.Change{
		{Path: "/etc/a", After: &guest.File{Data: []byte("new"), Mode: 0o644}},
		{Path: "/etc/b"},
		{Path: "/etc/deep/er/c", After: &guest.File{Data: []byte("c"), Mode: 0o644}},
		{Path: "/etc/to", After: &guest.File{Link: "/etc/a", Mode: fs.ModeSymlink | 0o777}},
	})
	if b, err := p.ReadFile(ctx, "/etc/to"); err != nil || string(b) != "new" {
		t.Errorf("over a new link: %q, %v", b, err)
	}
	if _, err := p.Stat(ctx, "/etc/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a removed file: %v", err)
	}
	names, err := p.ReadDir(ctx, "/etc")
	if want := []string{"a", "deep", "link", "to"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("names %q, %v; want %q", names, err, want)
	}
	if names, err := p.ReadDir(ctx, "/etc/deep/er"); err != nil || !slices.Equal(names, []string{"c"}) {
		t.Errorf("a directory that comes into being: %q, %v", names, err)
	}
	if to, err := guest.Resolve(ctx, p, "/etc/to"); err != nil || to != "/etc/a" {
		t.Errorf("resolved to %q, %v", to, err)
	}
}

func TestLinksThatLeadNowhere(t *testing.T) {
	base := guesttest.NewTree()
	base.Put("/a", guest.File{Link: "b", Mode: fs.ModeSymlink | 0o777})
	base.Put("/b", guest.File{Link: "a", Mode: fs.ModeSymlink | 0o777})
	if _, err := guest.Resolve(t.Context(), base, "/a"); !errors.Is(err, guest.ErrLimit) {
		t.Errorf("a circle of links: %v", err)
	}
}

func TestDiffOfWhatIsNoText(t *testing.T) {
	c := guest.Change{Path: "/boot/x", Before: &guest.File{Data: []byte{0, 1}}, After: &guest.File{Data: []byte{0, 2}}}
	if d := c.Diff(); !strings.HasPrefix(d, "Binary files ") {
		t.Errorf("got %q", d)
	}
	c = guest.Change{Path: "/etc/x", Before: &guest.File{Data: []byte("a"), Mode: 0o644}, After: &guest.File{Data: []byte("a"), Mode: 0o600}}
	if d := c.Diff(); !strings.Contains(d, "new mode 600") {
		t.Errorf("got %q", d)
	}
}

// TestNamesInDiffs cannot pass for lines of a diff.
func TestNamesInDiffs(t *testing.T) {
	for name, want := range map[string]string{
		"/etc/fstab":         "--- /dev/null\n+++ b/etc/fstab\n",
		"/etc/a b":           "--- /dev/null\n+++ b/etc/a b\n",
		"/etc/x\n+++ b/evil": "--- /dev/null\n+++ \"b/etc/x\\n+++ b/evil\"\n",
		"/etc/\x1b[2J\xff":   "--- /dev/null\n+++ \"b/etc/\\x1b[2J\\xff\"\n",
	} {
		if got := (guest.Change{Path: name, After: &guest.File{Data: []byte("a\n")}}).Diff(); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q, want the beginning %q", name, got, want)
		}
	}
}

// TestTooManyChanges are refused before any is made.
func TestTooManyChanges(t *testing.T) {
	for n, fails := range map[int]bool{2000: false, 2001: true} {
		f := fixer{"flood", func(context.Context, guest.FS) (guest.Proposal, error) {
			var p guest.Proposal
			for i := range n {
				p.Changes = append(p.Changes, guest.Change{Path: fmt.Sprintf("/etc/%d", i), After: &guest.File{}})
			}
			return p, nil
		}}
		if _, err := guest.NewWork(t.Context(), guest.System{}, guesttest.NewTree(), []guest.Fixer{f}); errors.Is(err, guest.ErrLimit) != fails {
			t.Errorf("%d changes: %v", n, err)
		}
	}
}
