package convert

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/manifest"
)

// place is where a source stands and what it may name there: the job's own files, the directory of an absolute source, or an
// archive. Its Opener is the only way from an image or a description to another file.
type place struct {
	open     disk.Opener
	siblings disk.Siblings   // what a parent that has no name is looked for in
	used     map[string]bool // host paths that were opened through it
}

// beside returns the place of a source that the job names: the job's files, by their names as seen from there, or the host directory
// of an absolute one.
func (g *gatherer) beside(name string) (place, error) {
	hostPath, err := g.hostPath(name)
	if err != nil {
		return place{}, err
	}
	p := place{used: map[string]bool{}}
	if filepath.IsAbs(name) {
		dir := filepath.Dir(hostPath)
		p.open = g.watched(disk.DirOpener(dir), p.used, func(n string) string { return filepath.Join(dir, n) })
		p.siblings = disk.DirSiblings(dir)
		return p, nil
	}
	files := g.filesFrom(path.Dir(path.Clean(name)))
	p.siblings = disk.FilesSiblings(files)
	p.open = g.watched(disk.FilesOpener(files), p.used, func(n string) string { return files[path.Clean(n)] })
	return p, nil
}

// hostPath is where a source stands. A limited one is reached through a descriptor of its directory, which nobody can exchange.
func (g *gatherer) hostPath(name string) (string, error) {
	hostPath, ok := g.req.Files[name]
	if !ok {
		return "", g.unknownName(name)
	}
	root, limited := g.req.Roots[name]
	if !limited {
		return hostPath, nil
	}
	dir := g.opened.below[name]
	if dir == nil {
		rel, err := filepath.Rel(root, filepath.Dir(hostPath))
		if err == nil {
			dir, err = OpenDirBelow(root, rel)
		}
		switch {
		case errors.Is(err, disk.ErrMissing):
			return "", coded(manifest.CodeSourceMissing, "", fmt.Errorf("source %q: %w", name, err))
		case err != nil:
			return "", coded(manifest.CodePolicyPath, "name the file by the path that it really has, below "+root, fmt.Errorf("source %q: %w", name, err))
		}
		if g.opened.below == nil {
			g.opened.below = map[string]*os.File{}
		}
		g.opened.below[name] = dir
	}
	return filepath.Join(DirPath(dir), filepath.Base(hostPath)), nil
}

// unknownName is the error for a name that is not among the files that the job may open.
func (g *gatherer) unknownName(name string) error {
	if filepath.IsAbs(name) {
		return coded(manifest.CodePolicyPath, "name a file beside the manifest, or ask for the directory to be listed under import_roots",
			fmt.Errorf("source %q is not among the files that this job may read", name))
	}
	return coded(manifest.CodeSourceMissing, "", fmt.Errorf("source %q is not there", name))
}

// filesFrom returns the job's files by their names as seen from a directory of theirs. What stands elsewhere has a name with "../"
// in it: VirtualBox keeps snapshots in a directory beside the disk that they were made on.
func (g *gatherer) filesFrom(dir string) map[string]string {
	files := map[string]string{}
	for name, hostPath := range g.req.Files {
		if filepath.IsAbs(name) {
			continue
		}
		if seen, err := filepath.Rel(filepath.FromSlash(dir), filepath.FromSlash(name)); err == nil {
			files[filepath.ToSlash(seen)] = hostPath
		}
	}
	return files
}

// watched returns an Opener that remembers which host files it opened.
func (g *gatherer) watched(open disk.Opener, used map[string]bool, hostPath func(name string) string) disk.Opener {
	return func(name string) (disk.File, error) {
		f, err := open(name)
		if err != nil {
			return nil, err
		}
		if p := hostPath(name); p != "" {
			if err := g.opened.watch.note(p, used); err != nil {
				f.Close()
				return nil, err
			}
		}
		return f, nil
	}
}

// source opens a file that the job itself names, and its content if it is compressed as a whole; stated is the format that the job states
// for it, "" if none. What is wrong with it is the source's fault, not an image's.
func (g *gatherer) source(name, stated string) (disk.File, error) {
	hostPath, err := g.hostPath(name)
	if err != nil {
		return nil, err
	}
	host, err := disk.OpenFile(hostPath)
	switch {
	case errors.Is(err, disk.ErrMissing):
		return nil, coded(manifest.CodeSourceMissing, "", err)
	case errors.Is(err, disk.ErrUnsupported), errors.Is(err, disk.ErrOutside):
		return nil, coded(manifest.CodeSourceNotRegular, "give a regular file; follow a link by naming what it points to", err)
	case err != nil:
		return nil, err
	}
	var f disk.File = host
	if err := g.opened.watch.note(hostPath, nil); err != nil {
		f.Close()
		return nil, err
	}
	if f.Size() == 0 {
		f.Close()
		return nil, coded(manifest.CodeSourceEmpty, "", fmt.Errorf("source %q has no bytes", name))
	}
	if g.statedRaw(name, cmp.Or(stated, g.req.Job.Source.Type)) {
		return f, nil
	}
	return g.plain(f, name)
}
