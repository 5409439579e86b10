// Package packaging_test holds what is shipped beside the programs against the programs.
package packaging_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestMetricsThatAreAskedForAreServed: each metric that the dashboard and the alerts ask for is one that hyperctl serve has.
func TestMetricsThatAreAskedForAreServed(t *testing.T) {
	name := regexp.MustCompile(`\bhyper2kvm_[a-z0-9_]+`)
	served := map[string]bool{}
	sources, err := fs.Glob(os.DirFS("../internal/api"), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile("../internal/api/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range name.FindAllString(string(b), -1) {
			served[m] = true
		}
	}
	for _, file := range []string{"grafana/hyper2kvm.json", "prometheus/hyper2kvm.rules.yml", "prometheus/hyper2kvm.test.yml"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked := name.FindAllString(string(b), -1)
		if len(asked) < 10 {
			t.Errorf("%s asks for %d metrics: the test looks in the wrong place", file, len(asked))
		}
		for _, m := range asked {
			base := m
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if !served[m] && !served[base] {
				t.Errorf("%s asks for %s, which is not served", file, m)
			}
		}
	}
}

// TestDashboard: it is JSON with a fixed uid, takes its data source from a variable, and no two panels lie over each other.
func TestDashboard(t *testing.T) {
	b, err := os.ReadFile("grafana/hyper2kvm.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		UID    string `json:"uid"`
		Panels []struct {
			Title   string `json:"title"`
			GridPos struct{ X, Y, W, H int }
			Targets []struct {
				Expr       string
				Datasource struct{ UID string }
			}
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%q: %+v", p.Title, p)
		}
		for _, target := range p.Targets {
			if target.Datasource.UID != "${datasource}" || target.Expr == "" {
				t.Errorf("%q: %+v", p.Title, target)
			}
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" {
					t.Fatalf("%q lies over %q", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
	}
	if d.UID != "hyper2kvm" || len(d.Panels) < 10 {
		t.Errorf("uid %q, %d panels", d.UID, len(d.Panels))
	}
}
