package guestfs

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Limits of subvolumes: snapper keeps up to a hundred snapshots, and looking at each costs some calls.
const (
	maxSubvolumes = 512
	topLevel      = 5 // id of the top level (BTRFS_FS_TREE_OBJECTID)
)

// subvolumes finds the system on a btrfs volume whose top level is mounted. The default subvolume is it where it looks like one, as
// snapper arranges it; unless its fstab names another one for /. Else the top level, else the first that looks like one and whose own
// fstab names it. All others are told, and nobody is asked.
func (s *Session) subvolumes(ctx context.Context, v volume) ([]root, error) {
	out, err := s.call(ctx, "btrfs-subvolume-list", "/")
	if err != nil {
		return nil, err
	}
	structs, err := parseStructs(out)
	if err != nil {
		return nil, err
	}
	paths := map[int]string{topLevel: ""}
	for _, f := range structs[:min(len(structs), maxSubvolumes)] {
		id, err := strconv.Atoi(f["btrfssubvolume_id"])
		if p := f["btrfssubvolume_path"]; err == nil && p != "" && path.Clean("/"+p) == "/"+p {
			paths[id] = p
		}
	}
	preferred := topLevel
	if out, err := s.call(ctx, "btrfs-subvolume-get-default", "/"); err == nil {
		if id, err := strconv.Atoi(firstLine(out)); err == nil {
			preferred = id
		}
	}
	var found []root
	for _, id := range order(paths, preferred) {
		r, ok, err := s.linux(ctx, v, "/"+paths[id])
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, r)
		}
	}
	return chooseSubvolume(found), nil
}

// order is the default subvolume, the top level, then the others: those that are no snapshots first, the shortest names first.
func order(paths map[int]string, preferred int) []int {
	ids := make([]int, 0, len(paths))
	for id := range paths {
		ids = append(ids, id)
	}
	rank := func(id int) int {
		switch {
		case id == preferred:
			return 0
		case id == topLevel:
			return 1
		case isSnapshot(paths[id]):
			return 3
		}
		return 2
	}
	slices.SortFunc(ids, func(a, b int) int {
		return cmp.Or(rank(a)-rank(b), len(paths[a])-len(paths[b]), strings.Compare(paths[a], paths[b]))
	})
	return ids
}

// isSnapshot tells the places where snapper and timeshift keep snapshots.
func isSnapshot(p string) bool {
	return strings.Contains("/"+p+"/", "/.snapshots/") || strings.HasPrefix(p, "timeshift-btrfs/")
}

// chooseSubvolume makes one root of all that look like a system, in the order in which they are preferred.
func chooseSubvolume(found []root) []root {
	if len(found) == 0 {
		return nil
	}
	best := 0
	if want, ok := ownSubvolume(found[0].fstab); ok && want != found[0].subvol {
		for i, r := range found {
			if own, ok := ownSubvolume(r.fstab); r.subvol == want && ok && own == want {
				best = i
				break
			}
		}
	}
	r := found[best]
	for i, o := range found {
		if i != best {
			r.others = append(r.others, o.name())
		}
	}
	return []root{r}
}

// ownSubvolume is the subvolume that an fstab names for /.
func ownSubvolume(fstab string) (string, bool) {
	for _, e := range parseFstab(fstab) {
		if e.point == "/" {
			return e.subvolume()
		}
	}
	return "", false
}
