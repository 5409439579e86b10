package guestfs

import "hyper2kvm/internal/guest"

// maxCached is how many files a cache remembers before it forgets all: a guest has millions, a repair looks at thousands.
const maxCached = 100_000

// cache remembers what directories hold and what files are, as long as nothing is written. Names are as they were asked for, so a file
// has several where links lead to it, and every write empties the whole cache.
type cache struct {
	dirs  map[string][]string
	files map[string]cached
	size  int
}

// cached is what is known of a name: an Info, or that nothing is there.
type cached struct {
	info  guest.Info
	there bool
}

// clear forgets all.
func (c *cache) clear() { *c = cache{} }

// putDir remembers a listing.
func (c *cache) putDir(name string, names []string) {
	c.room(len(names))
	c.dirs[name] = names
}

// putFile remembers a file.
func (c *cache) putFile(name string, f cached) {
	c.room(1)
	c.files[name] = f
}

// room makes the maps, and forgets all where too much is remembered.
func (c *cache) room(n int) {
	if c.files == nil || c.size+n > maxCached {
		*c = cache{dirs: map[string][]string{}, files: map[string]cached{}}
	}
	c.size += n
}
