package guestfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// Limits of reading.
const (
	chunk      = 2 << 20 // bytes of one pread; a reply of the appliance is at most 4 MiB
	maxContent = 4 << 30 // of a file that is opened: an initramfs with all firmware is below 1 GiB
	maxListing = 64 << 20
	maxBatch   = 256 // files of one lstatnslist; what fits into a line is mostly less
)

// Lstat implements guest.FS.
func (s *Session) Lstat(ctx context.Context, name string) (guest.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lstat(ctx, name)
}

func (s *Session) lstat(ctx context.Context, name string) (guest.Info, error) {
	if err := checkName("lstat", name); err != nil {
		return guest.Info{}, err
	}
	f, ok := s.cache.files[name]
	if !ok {
		var err error
		if f, err = s.ask(ctx, name); err != nil {
			return guest.Info{}, pathError("lstat", name, err)
		}
	}
	if !f.there {
		return guest.Info{}, pathError("lstat", name, fs.ErrNotExist)
	}
	return f.info, nil
}

// ask stats one file that is not remembered, and with it its neighbours in a directory that was listed.
func (s *Session) ask(ctx context.Context, name string) (cached, error) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	names, listed := s.cache.dirs[dir]
	if at, found := slices.BinarySearch(names, base); found {
		if err := s.askAll(ctx, dir, names[at:]); err != nil {
			return cached{}, err
		}
		if f, ok := s.cache.files[name]; ok {
			return f, nil
		}
	} else if listed && base != "" {
		return cached{}, nil
	}
	out, err := s.call(ctx, "lstatns", name)
	var f cached
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return cached{}, err
	default:
		fields, err := parseFields(out)
		if err != nil {
			return cached{}, err
		}
		if f.info, f.there, err = parseInfo(fields); err != nil {
			return cached{}, err
		}
	}
	s.cache.putFile(name, f)
	return f, nil
}

// askAll stats as many of the files of a directory as one command takes, the first of them among them unless its name cannot be put
// into a list.
func (s *Session) askAll(ctx context.Context, dir string, names []string) error {
	size := quoted(dir) + 100
	var batch []string
	for _, n := range names[:min(len(names), maxBatch)] {
		item, err := list([]string{n})
		if err != nil {
			continue
		}
		if size += quoted(item) + 1; size > maxLine {
			break
		}
		batch = append(batch, n)
	}
	if len(batch) < 2 {
		return nil
	}
	arg, err := list(batch)
	if err != nil {
		return err
	}
	out, err := s.call(ctx, "lstatnslist", dir, arg)
	if err != nil {
		return err
	}
	structs, err := parseStructs(out)
	if err != nil {
		return err
	}
	if len(structs) != len(batch) {
		return fmt.Errorf("guestfs: %d files were asked for, and %d came", len(batch), len(structs))
	}
	for i, fields := range structs {
		info, there, err := parseInfo(fields)
		if err != nil {
			return err
		}
		s.cache.putFile(path.Join(dir, batch[i]), cached{info, there})
	}
	return nil
}

// Stat implements guest.FS.
func (s *Session) Stat(ctx context.Context, name string) (guest.Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stat(ctx, name)
}

func (s *Session) stat(ctx context.Context, name string) (guest.Info, error) {
	info, err := s.lstat(ctx, name)
	if err != nil || info.Mode&fs.ModeSymlink == 0 {
		return info, err
	}
	out, err := s.call(ctx, "statns", name)
	if err != nil {
		return guest.Info{}, pathError("stat", name, err)
	}
	fields, err := parseFields(out)
	if err != nil {
		return guest.Info{}, err
	}
	info, _, err = parseInfo(fields)
	return info, err
}

// Readlink implements guest.FS.
func (s *Session) Readlink(ctx context.Context, name string) (string, error) {
	if err := checkName("readlink", name); err != nil {
		return "", err
	}
	out, err := s.call(ctx, "readlink", name)
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// ReadDir implements guest.FS.
func (s *Session) ReadDir(ctx context.Context, name string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkName("readdir", name); err != nil {
		return nil, err
	}
	if names, ok := s.cache.dirs[name]; ok {
		return slices.Clone(names), nil
	}
	if f, ok := s.cache.files[name]; ok && !f.there {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	b, err := s.fetch(ctx, "ls0", name, maxListing)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	var names []string
	for n := range strings.SplitSeq(string(b), "\x00") {
		if n != "" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	s.cache.putDir(name, names)
	return slices.Clone(names), nil
}

// fetch does a command that writes into a file of the host, and reads that.
func (s *Session) fetch(ctx context.Context, name, arg string, limit int64) ([]byte, error) {
	f, err := os.CreateTemp(s.o.Dir, "fetch-")
	if err != nil {
		return nil, err
	}
	defer drop(f.Name())
	defer f.Close()
	if _, err := s.call(ctx, name, arg, f.Name()); err != nil {
		return nil, err
	}
	// guestfish may have put another file in its place, so it is opened by its name again.
	g, err := os.Open(f.Name())
	if err != nil {
		return nil, err
	}
	defer g.Close()
	b, err := io.ReadAll(io.LimitReader(g, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", guest.ErrLimit, limit)
	}
	return b, err
}

// ReadFile implements guest.FS.
func (s *Session) ReadFile(ctx context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := s.regular(ctx, "read", name)
	if err != nil {
		return nil, err
	}
	if info.Size > guest.MaxConfig {
		return nil, pathError("read", name, fmt.Errorf("%w: %d bytes, at most %d are read", guest.ErrLimit, info.Size, guest.MaxConfig))
	}
	b, err := s.read(ctx, name, info.Size)
	return b, pathError("read", name, err)
}

// regular stats what is to be read: a pipe or a device would block, or never end.
func (s *Session) regular(ctx context.Context, op, name string) (guest.Info, error) {
	info, err := s.stat(ctx, name)
	if err == nil && !info.Mode.IsRegular() {
		err = pathError(op, name, fmt.Errorf("%w: it is %s", fs.ErrInvalid, info.Mode))
	}
	return info, err
}

// read reads a file of a known size by calls.
func (s *Session) read(ctx context.Context, name string, size int64) ([]byte, error) {
	b := []byte{}
	for int64(len(b)) < size {
		out, err := s.call(ctx, "pread", name, strconv.FormatInt(min(size-int64(len(b)), chunk), 10), strconv.Itoa(len(b)))
		if err != nil {
			return nil, err
		}
		if len(out) == 0 || int64(len(b)+len(out)) > size {
			return nil, fmt.Errorf("%w: %d bytes came at %d of %d", io.ErrUnexpectedEOF, len(out), len(b), size)
		}
		b = append(b, out...)
	}
	return b, nil
}

// Open implements guest.FS: the file is brought to the host, to Options.Dir, and is gone from there at Close at the latest.
func (s *Session) Open(ctx context.Context, name string) (guest.Content, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := s.regular(ctx, "open", name)
	if err != nil {
		return nil, err
	}
	if info.Size <= chunk {
		b, err := s.read(ctx, name, info.Size)
		if err != nil {
			return nil, pathError("open", name, err)
		}
		return guest.BytesContent(b), nil
	}
	if info.Size > maxContent {
		return nil, pathError("open", name, fmt.Errorf("%w: %d bytes, at most %d are opened", guest.ErrLimit, info.Size, int64(maxContent)))
	}
	f, err := s.download(ctx, name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	got, err := f.Stat()
	if err == nil && got.Size() != info.Size {
		err = fmt.Errorf("%w: %d bytes came of %d", io.ErrUnexpectedEOF, got.Size(), info.Size)
	}
	if err != nil {
		f.Close()
		return nil, pathError("open", name, err)
	}
	return content{f, info.Size}, nil
}

// download brings a file to the host; its name there is gone already when it returns.
func (s *Session) download(ctx context.Context, name string) (*os.File, error) {
	dir, err := os.MkdirTemp(s.o.Dir, "download-")
	if err != nil {
		return nil, err
	}
	defer drop(dir)
	local := path.Join(dir, "file")
	if err := s.do(ctx, s.alive("still reading "+clean(name)), "download", name, local); err != nil {
		return nil, err
	}
	return os.Open(local)
}

type content struct {
	*os.File
	size int64
}

func (c content) Size() int64 { return c.size }

// checkName holds callers to what guest.FS says of names; libguestfs would take others otherwise ("win:").
func checkName(op, name string) error {
	if !path.IsAbs(name) || path.Clean(name) != name || strings.ContainsRune(name, 0) {
		return pathError(op, name, fmt.Errorf("%w: the name is not absolute and clean", fs.ErrInvalid))
	}
	return nil
}
