package formats

import (
	"context"
	"fmt"
	"path/filepath"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/raw"
)

// OpenOptions say how to open an image. The zero value probes the format and opens no other file.
type OpenOptions struct {
	Format string      // of the top image; "" probes. Any but raw must agree with the content
	Open   disk.Opener // for the files that the image and its parents name; nil refuses them all
	// Siblings are looked through for parents that are not found by name (VDI, VHD); Open opens the one that is found.
	Siblings disk.Siblings
}

// Open opens the image in f and the chain of its parents. It owns f from then on, and closes it when it fails.
func Open(ctx context.Context, f disk.File, o OpenOptions) (disk.Image, error) {
	c := &chain{open: o.Open, siblings: o.Siblings, seen: make(map[string]bool)}
	return c.image(ctx, f, f.Name(), o.Format)
}

// OpenPath opens the image at path. Files that it names are opened through o.Open, or, if that is nil, in path's own
// directory, which is then also looked through for parents.
func OpenPath(ctx context.Context, path string, o OpenOptions) (disk.Image, error) {
	f, err := disk.OpenFile(path)
	if err != nil {
		return nil, err
	}
	if o.Open == nil {
		o.Open = disk.DirOpener(filepath.Dir(path))
		o.Siblings = disk.DirSiblings(filepath.Dir(path))
	}
	return Open(ctx, f, o)
}

// Describe returns the layers of an image, the top first; an image that cannot say gets a line with its size.
func Describe(img disk.Image) []disk.Info {
	if d, ok := img.(disk.Describer); ok {
		return d.Describe()
	}
	return []disk.Info{{Size: img.Size()}}
}

// chain is the opening of one image with its parents.
type chain struct {
	open     disk.Opener
	siblings disk.Siblings
	seen     map[string]bool // files of the chain, by identity
}

// image opens one layer. It owns f.
func (c *chain) image(ctx context.Context, f disk.File, name, want string) (disk.Image, error) {
	got, err := c.admit(ctx, f, name, want)
	if err != nil {
		f.Close()
		return nil, err
	}
	img, err := got.open(ctx, f, disk.Env{Open: c.sibling, OpenImage: c.parent, Siblings: c.siblings})
	if m, ok := img.(*raw.Image); ok && want == "" {
		if title := titleOfName(f.Name()); title != "" {
			m.Note(fmt.Sprintf("by its name this is a %s, by its content it is not: it is taken for a raw disk; is it whole?", title))
		}
	}
	return img, err
}

// admit decides whether a file may be the next layer, and which format it has.
func (c *chain) admit(ctx context.Context, f disk.File, name, want string) (format, error) {
	if err := context.Cause(ctx); err != nil {
		return format{}, err
	}
	id := identity(f, name)
	switch {
	case c.seen[id]:
		return format{}, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrCorrupt, Detail: "the chain of images comes back to this file"}
	case len(c.seen) >= disk.MaxChain:
		return format{}, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrLimit,
			Detail: fmt.Sprintf("a chain of more than %d images", disk.MaxChain)}
	}
	c.seen[id] = true
	return choose(f, want)
}

// choose finds the format of f, and holds it against the one that was asked for.
func choose(f disk.File, want string) (format, error) {
	if want == "" {
		return probe(f)
	}
	asked, ok := byName(want)
	if !ok {
		return format{}, &disk.Error{Op: "open", File: f.Name(), Off: -1, Kind: disk.ErrUnsupported,
			Detail: fmt.Sprintf("format %q is not known", want)}
	}
	if asked.Name == rawFormat.Name {
		return asked, nil
	}
	s, err := newSample(f)
	if err != nil {
		return format{}, err
	}
	if !asked.match(s) {
		found := rawFormat
		for _, c := range list() {
			if c.match(s) {
				found = c
				break
			}
		}
		return format{}, &disk.Error{Format: asked.Name, Op: "open", File: f.Name(), Off: -1, Kind: disk.ErrFormat,
			Detail: fmt.Sprintf("the content looks like a %s", found.Title)}
	}
	if asked.open == nil {
		return format{}, asked.notRead(f)
	}
	return asked, nil
}

// sibling opens a file that an image names.
func (c *chain) sibling(name string) (disk.File, error) {
	if c.open == nil {
		return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrOutside, Detail: "no other file may be opened here"}
	}
	return c.open(name)
}

// parent opens the image that a child names.
func (c *chain) parent(ctx context.Context, name, want string) (disk.Image, error) {
	f, err := c.sibling(name)
	if err != nil {
		return nil, err
	}
	return c.image(ctx, f, name, want)
}

// identity tells files of a chain apart: by what the host says, else by name.
func identity(f disk.File, name string) string {
	if h, ok := f.(interface{ ID() string }); ok {
		return "host:" + h.ID()
	}
	return "name:" + name
}
