package queue

import (
	"maps"
	"slices"
)

// graph is who names whom in the drop zone. A name may be named before it is there.
type graph struct {
	members map[string][]string            // entry -> the names that belong to it
	namers  map[string]map[string]struct{} // name -> the entries that name it
}

func newGraph() *graph {
	return &graph{members: map[string][]string{}, namers: map[string]map[string]struct{}{}}
}

// set replaces what an entry names. An entry never names itself.
func (g *graph) set(entry string, members []string) {
	for _, m := range g.members[entry] {
		delete(g.namers[m], entry)
		if len(g.namers[m]) == 0 {
			delete(g.namers, m)
		}
	}
	delete(g.members, entry)
	var kept []string
	for _, m := range members {
		if m == entry || slices.Contains(kept, m) {
			continue
		}
		kept = append(kept, m)
		if g.namers[m] == nil {
			g.namers[m] = map[string]struct{}{}
		}
		g.namers[m][entry] = struct{}{}
	}
	if len(kept) > 0 {
		g.members[entry] = kept
	}
}

// namedBy are the entries that name a name, sorted.
func (g *graph) namedBy(name string) []string {
	return slices.Sorted(maps.Keys(g.namers[name]))
}

// closure is everything that belongs to an entry: its members and theirs, in the order in which they are found, without the
// entry. It stops at MaxMembers.
func (g *graph) closure(entry string) []string {
	if len(g.members[entry]) == 0 {
		return nil
	}
	seen := map[string]bool{entry: true}
	var all []string
	for todo := []string{entry}; len(todo) > 0; todo = todo[1:] {
		for _, m := range g.members[todo[0]] {
			if seen[m] || len(all) > MaxMembers {
				continue
			}
			seen[m] = true
			all = append(all, m)
			todo = append(todo, m)
		}
	}
	return all
}

// near are the names whose standing may change when something happens to a name: what names it, directly or through others,
// what belongs to it, and who else wants that. The name itself comes first.
func (g *graph) near(name string) []string {
	seen := map[string]bool{name: true}
	all := []string{name}
	add := func(n string) {
		if !seen[n] && len(all) <= MaxMembers {
			seen[n] = true
			all = append(all, n)
		}
	}
	for i := 0; i < len(all); i++ { // up
		for n := range g.namers[all[i]] {
			add(n)
		}
	}
	for _, n := range slices.Clone(all) { // down from there, and across
		for _, m := range g.members[n] {
			add(m)
			for other := range g.namers[m] {
				add(other)
			}
		}
	}
	return all
}
