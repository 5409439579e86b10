package daemon

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/manifest"
)

func TestTrustOfAbsolutePaths(t *testing.T) {
	s := Settings{ImportRoots: []string{"/exports/vmware"}, OutputRoots: []string{"/srv/kvm"}, OutputDir: "/var/out"}
	tr := trust{self: 900}
	const alice = 1000
	for _, c := range []struct {
		name   string
		uid    uint32
		output bool
		path   string
		ok     bool
	}{
		{"root names anything", 0, false, "/etc/shadow", true},
		{"the daemon's user names anything", 900, true, "/anywhere", true},
		{"alice names a file below an import root", alice, false, "/exports/vmware/a/web.vmdk", true},
		{"alice names the import root itself", alice, false, "/exports/vmware", true},
		{"alice names a file elsewhere", alice, false, "/etc/shadow", false},
		{"a name that only begins like a root", alice, false, "/exports/vmware2/web.vmdk", false},
		{"a name that leaves its root", alice, false, "/exports/vmware/../../etc/shadow", false},
		{"an output root is no import root", alice, false, "/srv/kvm/web.qcow2", false},
		{"alice writes below an output root", alice, true, "/srv/kvm/web", true},
		{"alice writes below the output directory", alice, true, "/var/out/web", true},
		{"alice writes elsewhere", alice, true, "/usr/local", false},
		{"an import root is no output root", alice, true, "/exports/vmware/x", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			check, key := tr.source, "import_roots"
			if c.output {
				check, key = tr.output, "output_roots"
			}
			_, err := check(s, author{uid: c.uid}, c.path)
			if (err == nil) != c.ok {
				t.Fatalf("got %v, want allowed %t", err, c.ok)
			}
			var p *policyError
			if err != nil && (!errors.As(err, &p) || p.Code != manifest.CodePolicyPath || !strings.Contains(p.Hint, key)) {
				t.Errorf("refusal %v (%+v) does not name the code and the key %s", err, p, key)
			}
		})
	}
}

func TestOperators(t *testing.T) {
	s := Settings{Operators: []string{"user 4242"}}
	tr := trust{self: 900}
	for _, c := range []struct {
		uid, submitter uint32
		ok             bool
	}{
		{0, 1000, true}, {900, 1000, true}, {1000, 1000, true}, {1001, 1000, false}, {4242, 1000, true},
	} {
		if err := tr.operator(s, c.uid, c.submitter); (err == nil) != c.ok {
			t.Errorf("user %d about a job of %d: got %v, want allowed %t", c.uid, c.submitter, err, c.ok)
		}
	}
}

func TestIsOperator(t *testing.T) {
	groups := func(uid uint32) []string {
		return map[uint32][]string{1000: {"alice", "hyper2kvm"}, 1001: {"bob"}}[uid]
	}
	for _, c := range []struct {
		operators []string
		uid       uint32
		name      string
		ok        bool
	}{
		{nil, 1000, "alice", false},
		{[]string{"@hyper2kvm"}, 1000, "alice", true},
		{[]string{"@hyper2kvm"}, 1001, "bob", false},
		{[]string{"@hyper2kvm", "bob"}, 1001, "bob", true},
		{[]string{"hyper2kvm"}, 1000, "alice", false}, // a user of that name, not the group
		{[]string{"@"}, 1000, "alice", false},
		{[]string{"70001"}, 70001, "user 70001", true},
		{[]string{"@hyper2kvm"}, 70001, "user 70001", false},
	} {
		if got := isOperator(c.operators, c.uid, c.name, groups); got != c.ok {
			t.Errorf("%q, user %d: %t", c.operators, c.uid, got)
		}
	}
	if got := groupsOf(0); !slices.Contains(got, "root") {
		t.Errorf("root is in the groups %q", got)
	}
}
