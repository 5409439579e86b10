package queue

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNumbered(t *testing.T) {
	for _, c := range []struct {
		name string
		n    int
		want string
	}{
		{"vm1.vmdk", 1, "vm1.vmdk"},
		{"vm1.vmdk", 2, "vm1~2.vmdk"},
		{"x.job", 3, "x~3.job"},
		{"folder", 2, "folder~2"},
		{".x", 2, ".x~2"},
		{"Windows Server 2019 v1. final", 2, "Windows Server 2019 v1. final~2"},
	} {
		if got := numbered(c.name, c.n); got != c.want {
			t.Errorf("numbered(%q, %d) = %q, want %q", c.name, c.n, got, c.want)
		}
	}
}

func TestUnnumberedUndoesNumbered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z][a-z0-9 ._-]{0,20}`).Draw(t, "name")
		n := rapid.IntRange(2, maxNumber).Draw(t, "n")
		if got := unnumbered(numbered(name, n)); got != name {
			t.Fatalf("%q became %q", name, got)
		}
		if len(numbered(name, n)) > len(name)+len("~9999")+1 {
			t.Fatal("a numbered name is longer than maxName allows for")
		}
	})
}

func TestNamesThatAreNoJobs(t *testing.T) {
	for _, name := range []string{
		"a.part", "a.PARTIAL", "a.vmdk.filepart", "a.crdownload", "x~", "#x#", "a.vmdk.meta.json", "a.error.json", "r.report.json", "a.mf.tmp", "x.swp",
	} {
		if ignoredName(name) == "" {
			t.Errorf("%q would be a job", name)
		}
	}
	for _, name := range []string{"vm.vmdk", "vm.json", "meta.json.vmdk", "vm~2.vmdk", "part", "über.ova"} {
		if why := ignoredName(name); why != "" || hidden(name) {
			t.Errorf("%q is ignored: %s", name, why)
		}
	}
	for _, name := range []string{".x.vmdk.AbC123", ".nfs0000", ".~tmp~", ".hyper2kvm-submit-x", "lost+found", ""} {
		if !hidden(name) {
			t.Errorf("%q is listed", name)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"vm.vmdk": true, "emoji 😀.vmdk": true, " trailing . ": true, strings.Repeat("x", maxName): true,
		strings.Repeat("x", maxName+1): false, "a\nb": false, "a\x1b[31m": false, "a\u0085": false, "a\x7f": false, "\xff.vmdk": false, "a\u2028": false,
	} {
		err := checkName(name)
		if (err == nil) != ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("checkName(%q) = %v", name, err)
		}
	}
}

func TestIDsSortByTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := time.UnixMilli(rapid.Int64Range(0, 1<<48-2).Draw(t, "a"))
		id, later := newID(a), newID(a.Add(time.Millisecond))
		if !isID(id) || id >= later {
			t.Fatal(id, later)
		}
		if got, err := idTime(id); err != nil || !got.Equal(a) {
			t.Fatal(got, err)
		}
	})
	for _, bad := range []string{"", "../../../../../../../../a1", strings.Repeat("I", 26), "8" + strings.Repeat("0", 25), strings.Repeat("0", 27)} {
		if isID(bad) {
			t.Errorf("%q passes for an id", bad)
		}
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"a\tb\n": "a\tb\n", "\x1b[2J": `\x1b[2J`, "\xff\xfe": `\xff\xfe`, "ü\u202e": `ü\x202e`, "\u009b": `\x9b`,
	} {
		if got := string(escape([]byte(in))); got != want {
			t.Errorf("escape(%q) = %q, want %q", in, got, want)
		}
	}
}
