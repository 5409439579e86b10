package disk

import (
	"context"
	"maps"
	"os"
	"slices"
)

// maxSiblings is how many files are looked at for one parent: a drop zone may hold any number, and each costs an open and a read.
const maxSiblings = 4096

// Siblings are the files of a job, for formats whose children know their parent by an identifier and not, or not only, by name. The
// zero value holds none.
type Siblings struct {
	// Names returns names that Env.Open takes.
	Names func() []string
	// Look opens one of them to see what it is. It is not Env.Open: who watches that one learns what an image is made of, and
	// must not count files that were only looked at.
	Look Opener
}

// DirSiblings returns the files that stand directly in dir.
func DirSiblings(dir string) Siblings {
	return Siblings{Look: DirOpener(dir), Names: func() []string {
		d, err := os.Open(dir)
		if err != nil {
			return nil // who names a file there is told why it cannot be opened
		}
		defer func() { _ = d.Close() }() // only read
		entries, _ := d.ReadDir(maxSiblings)
		var names []string
		for _, e := range entries {
			if e.Type().IsRegular() {
				names = append(names, e.Name())
			}
		}
		slices.Sort(names)
		return names
	}}
}

// FilesSiblings returns the files of a job: names as images know them, with the host path of each.
func FilesSiblings(files map[string]string) Siblings {
	return Siblings{Look: FilesOpener(files), Names: func() []string { return slices.Sorted(maps.Keys(files)) }}
}

// Find returns the name of the first file that is what is looked for, "" if none is. A file that cannot be opened is passed over. The
// error is that of the context. is must not keep or close the file.
func (s Siblings) Find(ctx context.Context, is func(name string, f File) bool) (string, error) {
	if s.Names == nil || s.Look == nil {
		return "", nil
	}
	names := s.Names()
	for _, name := range names[:min(len(names), maxSiblings)] {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		f, err := s.Look(name)
		if err != nil {
			continue
		}
		found := is(name, f)
		f.Close()
		if found {
			return name, nil
		}
	}
	return "", nil
}
