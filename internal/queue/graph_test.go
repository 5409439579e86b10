package queue

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestGraph(t *testing.T) {
	g := newGraph()
	g.set("vm.yaml", []string{"a.vmdk", "b.vmdk", "vm.yaml", "a.vmdk"})
	g.set("a.vmdk", []string{"a-flat.vmdk"})
	if got := g.closure("vm.yaml"); !slices.Equal(got, []string{"a.vmdk", "b.vmdk", "a-flat.vmdk"}) {
		t.Error(got)
	}
	if got := g.namedBy("a-flat.vmdk"); !slices.Equal(got, []string{"a.vmdk"}) {
		t.Error(got)
	}
	if near := g.near("a-flat.vmdk"); !slices.Contains(near, "vm.yaml") || near[0] != "a-flat.vmdk" {
		t.Error(near)
	}
	g.set("vm.yaml", nil)
	if got := g.namedBy("b.vmdk"); len(got) != 0 {
		t.Error(got)
	}
	if len(g.namers) != 1 || len(g.members) != 1 {
		t.Errorf("%+v", g)
	}
}

func TestGraphKeepsBothSides(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	rapid.Check(t, func(t *rapid.T) {
		g := newGraph()
		for range rapid.IntRange(1, 30).Draw(t, "changes") {
			g.set(rapid.SampledFrom(names).Draw(t, "entry"), rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "members"))
		}
		for _, a := range names {
			for _, b := range names {
				if slices.Contains(g.members[a], b) != slices.Contains(g.namedBy(b), a) {
					t.Fatalf("%q names %q on one side only", a, b)
				}
			}
			if c := g.closure(a); slices.Contains(c, a) || len(c) != len(slices.Compact(slices.Sorted(slices.Values(c)))) {
				t.Fatalf("closure of %q: %v", a, c)
			}
			for _, m := range g.closure(a) {
				if !slices.Contains(g.near(m), a) {
					t.Fatalf("a change of %q would not reach %q", m, a)
				}
			}
		}
	})
}
