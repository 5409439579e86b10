package formats

import (
	"fmt"
	"slices"

	"hyper2kvm/internal/disk"
)

// Create returns a writer that makes an image of this format with size bytes of content in t. The caller owns t and closes it.
// A format, or a compression, that is not written gives ErrUnsupported.
func Create(name string, t disk.Target, size int64, o CreateOptions) (disk.Writer, error) {
	c, ok := byName(name)
	refuse := func(why string) error {
		return &disk.Error{Op: "create", Off: -1, Kind: disk.ErrUnsupported, Detail: why}
	}
	switch {
	case !ok:
		return nil, refuse(fmt.Sprintf("format %q is not known", name))
	case c.create == nil:
		return nil, refuse(fmt.Sprintf("format %s is not written by this program", c.Name))
	case !slices.Contains(c.Compression, o.Compression):
		return nil, refuse(fmt.Sprintf("format %s has no compression %q", c.Name, o.Compression))
	case o.ClusterSize != 0 && !c.ClusterSizes:
		return nil, refuse(fmt.Sprintf("format %s has no cluster size to choose", c.Name))
	case o.Fixed && !c.FixedSize:
		return nil, refuse(fmt.Sprintf("format %s has no fixed variant", c.Name))
	}
	return c.create(t, size, o)
}
