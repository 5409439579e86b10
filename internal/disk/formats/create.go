package formats

import (
	"fmt"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
)

// Create returns a writer that makes an image of this format with size bytes of content in t. The caller owns t and closes it.
// A format, a subformat or a compression that is not written gives ErrUnsupported.
func Create(name string, t disk.Target, size int64, o CreateOptions) (disk.Writer, error) {
	c, ok := byName(name)
	switch {
	case !ok:
		return nil, refusedToCreate("format %q is not known", name)
	case c.create == nil:
		return nil, refusedToCreate("format %s is not written by this program", c.Name)
	case !slices.Contains(c.Compression, o.Compression):
		return nil, refusedToCreate("format %s has no compression %q", c.Name, o.Compression)
	case o.ClusterSize != 0 && !c.ClusterSizes:
		return nil, refusedToCreate("format %s has no cluster size to choose", c.Name)
	case o.Subformat != "" && len(c.Subformats) == 0:
		return nil, refusedToCreate("format %s has no subformats", c.Name)
	case o.Subformat != "" && !slices.Contains(c.Subformats, o.Subformat):
		return nil, refusedToCreate("format %s has no subformat %q that is written here; it has %s", c.Name, o.Subformat, strings.Join(c.Subformats, " and "))
	}
	return c.create(disk.EarlyTarget(t), size, o)
}

func refusedToCreate(format string, args ...any) error {
	return &disk.Error{Op: "create", Off: -1, Kind: disk.ErrUnsupported, Detail: fmt.Sprintf(format, args...)}
}
