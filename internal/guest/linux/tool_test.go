package linux

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// managePackages stands for a guest's package managers and uninstallers: what is removed is gone from their databases.
func managePackages(tree *guesttest.Tree, c guest.Command) (string, error) {
	ctx := context.Background()
	drop := func(db, key string, packages []string) {
		f, _ := tree.Get(db)
		var kept []string
		for stanza := range strings.SplitSeq(string(f.Data), "\n\n") {
			first, _, _ := strings.Cut(strings.TrimSpace(stanza), "\n")
			if !slices.Contains(packages, strings.TrimPrefix(first, key)) {
				kept = append(kept, stanza)
			}
		}
		f.Data = []byte(strings.Join(kept, "\n\n"))
		tree.Put(db, f)
	}
	switch path.Base(c.Args[0]) {
	case "dpkg":
		if c.Args[1] == "--install" {
			tree.Text("/usr/sbin/qemu-ga", "agent")
		} else {
			drop(dpkgStatus, "Package: ", c.Args[2:])
		}
	case "apk":
		drop(apkOld, "P:", c.Args[4:])
	case "pacman":
		for _, f := range tree.Files() {
			if strings.HasPrefix(f, pacmanDB) && slices.Contains(c.Args[3:], pacmanName(path.Base(path.Dir(f)))) {
				_ = tree.Remove(ctx, f)
				_ = tree.Remove(ctx, path.Dir(f))
			}
		}
	case "rpm":
		for _, k := range toolKinds {
			for _, r := range k.rpm {
				if r.pkg == c.Args[2] {
					_ = tree.Remove(ctx, r.file)
				}
			}
		}
	case "vmware-uninstall-tools.pl":
		_ = tree.Remove(ctx, vmwareLocations)
	case "uninstall.sh":
		_ = tree.Remove(ctx, "/var/lib/VBoxGuestAdditions/config")
	case "install":
		_ = tree.Remove(ctx, "/usr/bin/prltoolsd")
	default:
		return "", fmt.Errorf("%w: %q", guest.ErrCommand, c.Args)
	}
	return "done", nil
}

func TestTools(t *testing.T) {
	guesttest.RunCases(t, "testdata/tools", guesttest.Setup{
		Fixers: func(t *testing.T, c guesttest.Case) []guest.Fixer {
			t.Helper()
			return toolFixers(caseOptions(t, c))
		},
		Fill: func(_ *testing.T, _ guesttest.Case, tree *guesttest.Tree) { tree.OnRun = managePackages },
	})
}

func TestToolsAreNotSaidToBeGoneWhileTheyAreThere(t *testing.T) {
	tree := guesttest.LoadTree(t, "testdata/tools/dpkg-open-vm-tools/root")
	for name, onRun := range map[string]func(*guesttest.Tree, guest.Command) (string, error){
		"fails":                   func(*guesttest.Tree, guest.Command) (string, error) { return "locked", guest.ErrCommand },
		"ends well, does nothing": func(*guesttest.Tree, guest.Command) (string, error) { return "", nil },
	} {
		t.Run(name, func(t *testing.T) {
			tree := tree.Clone()
			tree.OnRun = onRun
			work, err := guest.NewWork(t.Context(), guest.System{}, tree, toolFixers(Options{RemoveTools: true}))
			if err != nil {
				t.Fatal(err)
			}
			done, err := guest.Apply(t.Context(), tree, work.Changes, toolJournal{}, time.Now)
			if err != nil {
				t.Fatalf("an optional removal stops the repair: %v", err)
			}
			if len(done) != 1 || done[0].Failed == "" {
				t.Errorf("done is %+v, want one step that says why it failed", done)
			}
		})
	}
}

type toolJournal struct{}

func (toolJournal) Log(string)                                   {}
func (toolJournal) Keep(context.Context, guest.FS, string) error { return nil }

func TestInspectTools(t *testing.T) {
	for name, want := range map[string][]string{
		"dpkg-hyperv-and-virtualbox": {"virtualbox-guest-utils", "virtualbox-guest-x11", "hyperv-daemons"},
		"rpm-open-vm-tools":          {"open-vm-tools-desktop", "open-vm-tools"},
		"vmware-archive":             {"VMware Tools (installed from VMware's archive)"},
		"agent-installed":            {"qemu-guest-agent"},
		"rpm-nothing":                nil,
	} {
		var system guest.System
		if err := inspectTools(t.Context(), guesttest.LoadTree(t, "testdata/tools/"+name+"/root"), &system); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(system.Tools, want) {
			t.Errorf("%s: tools are %q, want %q", name, system.Tools, want)
		}
	}
}

func TestDatabaseTooLarge(t *testing.T) {
	err := readDatabase(t.Context(), hugeFS{guesttest.NewTree()}, dpkgStatus, nil)
	if !errors.Is(err, guest.ErrLimit) {
		t.Errorf("err is %v, want ErrLimit", err)
	}
}

// hugeFS opens every file as one of 1 TiB.
type hugeFS struct{ guest.FS }

type hugeContent struct{ guest.Content }

func (hugeFS) Open(context.Context, string) (guest.Content, error) {
	return hugeContent{guest.BytesContent(nil)}, nil
}
func (hugeContent) Size() int64 { return 1 << 40 }
