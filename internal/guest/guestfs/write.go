package guestfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// Limits of writing.
const (
	// maxTyped is the size up to which a file goes through commands; moving a file takes as long as a hundred of them.
	maxTyped = 128 << 10
	// maxPiece is how much of a quoted line is content, the rest is left for the name.
	maxPiece = maxLine - 4*1024
)

// Write implements guest.Target: the file is made under a name of its own beside its place, gets owner, mode and label, is read back,
// and is renamed.
func (s *Session) Write(ctx context.Context, name string, f guest.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkName("write", name); err != nil {
		return err
	}
	defer s.cache.clear()
	dir := path.Dir(name)
	if err := s.makeDirs(ctx, dir); err != nil {
		return pathError("mkdir", dir, err)
	}
	made := path.Join(dir, tempPrefix+rand.Text())
	err := s.make(ctx, made, name, f)
	if err == nil {
		_, err = s.call(ctx, "rename", made, name)
	}
	if err != nil {
		err = errors.Join(err, s.remove(context.WithoutCancel(ctx), made))
	}
	return pathError("write", name, err)
}

// makeDirs makes a directory and those above it, with the SELinux label of the one that they are made in.
func (s *Session) makeDirs(ctx context.Context, dir string) error {
	var missing []string
	for d := dir; ; d = path.Dir(d) {
		_, err := s.stat(ctx, d)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || d == "/" {
			return err
		}
		missing = append(missing, d)
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := s.call(ctx, "mkdir-p", dir); err != nil {
		return err
	}
	s.cache.clear()
	for _, d := range slices.Backward(missing) {
		if err := s.relabel(ctx, d, d); err != nil {
			return err
		}
	}
	return nil
}

// tempPrefix begins the names of files that are not yet in their place.
const tempPrefix = ".hyper2kvm-"

// make makes a file at the name made, ready to take the place of name.
func (s *Session) make(ctx context.Context, made, name string, f guest.File) error {
	owner := []string{strconv.Itoa(f.UID), strconv.Itoa(f.GID)}
	if f.Link != "" {
		if _, err := s.call(ctx, "ln-s", f.Link, made); err != nil {
			return err
		}
		_, err := s.call(ctx, "lchown", append(owner, made)...)
		return err
	}
	if err := s.fill(ctx, made, f.Data); err != nil {
		return err
	}
	if _, err := s.call(ctx, "chown", append(owner, made)...); err != nil {
		return err
	}
	if _, err := s.call(ctx, "chmod", permissions(f.Mode), made); err != nil {
		return err
	}
	if err := s.relabel(ctx, made, name); err != nil {
		return err
	}
	if len(f.Data) > guest.MaxConfig {
		return nil
	}
	delete(s.cache.files, made)
	info, err := s.lstat(ctx, made)
	if err != nil {
		return err
	}
	got, err := s.read(ctx, made, min(info.Size, guest.MaxConfig))
	if err == nil && !bytes.Equal(got, f.Data) {
		err = fmt.Errorf("%w: %d bytes were written and %d others read back", guest.ErrProof, len(f.Data), len(got))
	}
	return err
}

// fill writes content: by commands where it is small text, else over a file of the host.
func (s *Session) fill(ctx context.Context, made string, data []byte) error {
	if len(data) <= maxTyped && bytes.IndexByte(data, 0) < 0 {
		call := "write"
		for first := true; first || len(data) > 0; first = false {
			n, size := 0, 0
			for n < len(data) && size <= maxPiece-4 {
				if size++; !plain(data[n]) {
					size += 3
				}
				n++
			}
			if _, err := s.call(ctx, call, made, string(data[:n])); err != nil {
				return err
			}
			call, data = "write-append", data[n:]
		}
		return nil
	}
	f, err := os.CreateTemp(s.o.Dir, "upload-")
	if err != nil {
		return err
	}
	defer drop(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.do(ctx, s.alive("still writing"), "upload", f.Name(), made)
}

// Remove implements guest.Target.
func (s *Session) Remove(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkName("remove", name); err != nil {
		return err
	}
	return pathError("remove", name, s.remove(ctx, name))
}

func (s *Session) remove(ctx context.Context, name string) error {
	defer s.cache.clear()
	_, err := s.call(ctx, "rm-f", name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Replace implements guest.Target. A symbolic link stays and the file that it leads to is replaced. Where made lies in another file
// system it is copied beside its place first.
func (s *Session) Replace(ctx context.Context, name, made string) error {
	for _, n := range []string{name, made} {
		if err := checkName("replace", n); err != nil {
			return err
		}
	}
	name, err := guest.Resolve(ctx, s, name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.cache.clear()
	return pathError("replace", name, s.replace(ctx, name, made))
}

func (s *Session) replace(ctx context.Context, name, made string) error {
	from, err := s.regular(ctx, "replace", made)
	if err != nil {
		return err
	}
	like := from
	if old, err := s.lstat(ctx, name); err == nil {
		like = old
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := s.stat(ctx, path.Dir(name))
	if err != nil {
		return err
	}
	place := made
	if dir.Dev != from.Dev {
		place = path.Join(path.Dir(name), tempPrefix+rand.Text())
		if err = s.do(ctx, s.alive("still copying "+clean(made)), "cp", made, place); err != nil {
			return errors.Join(err, s.remove(context.WithoutCancel(ctx), place))
		}
	}
	_, err = s.call(ctx, "chown", strconv.Itoa(like.UID), strconv.Itoa(like.GID), place)
	if err == nil {
		_, err = s.call(ctx, "chmod", permissions(like.Mode), place)
	}
	if err == nil {
		err = s.relabel(ctx, place, name)
	}
	if err == nil {
		_, err = s.call(ctx, "rename", place, name)
	}
	if place == made {
		return err
	}
	if err != nil {
		return errors.Join(err, s.remove(context.WithoutCancel(ctx), place))
	}
	return s.remove(ctx, made)
}

// Free implements guest.Target.
func (s *Session) Free(ctx context.Context, name string) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkName("statvfs", name); err != nil {
		return 0, err
	}
	for {
		free, err := s.free(ctx, name)
		if !errors.Is(err, fs.ErrNotExist) || name == "/" {
			return free, pathError("statvfs", name, err)
		}
		name = path.Dir(name)
	}
}

// free asks for the bytes that root may still write: bavail leaves out what ext4 keeps for it, which is no room to count on.
func (s *Session) free(ctx context.Context, name string) (int64, error) {
	out, err := s.call(ctx, "statvfs", name)
	if err != nil {
		return 0, err
	}
	fields, err := parseFields(out)
	if err != nil {
		return 0, err
	}
	blocks, err := strconv.ParseInt(fields["bavail"], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("guestfs: statvfs says bavail %.40q", fields["bavail"])
	}
	size, err := strconv.ParseInt(fields["frsize"], 10, 64)
	if err != nil || blocks < 0 || size < 0 || size > 0 && blocks > (1<<62)/size {
		return 0, fmt.Errorf("guestfs: statvfs says %d blocks of %.40q bytes", blocks, fields["frsize"])
	}
	return blocks * size, nil
}

// relabel gives a file the SELinux label of the one whose place it takes, and to a new one that of its directory, as the kernel does.
// Label afterwards asks the guest's policy where the appliance can.
func (s *Session) relabel(ctx context.Context, made, name string) error {
	if !s.labels {
		return nil
	}
	label, err := s.label(ctx, name)
	if err == nil && label == "" {
		label, err = s.label(ctx, path.Dir(name))
	}
	if err != nil || label == "" {
		return err
	}
	_, err = s.call(ctx, "lsetxattr", "security.selinux", label, strconv.Itoa(len(label)), made)
	return err
}

// label reads a file's SELinux label; "" where it has none or is not there.
func (s *Session) label(ctx context.Context, name string) (string, error) {
	out, err := s.call(ctx, "lgetxattr", name, "security.selinux")
	if said, ok := errors.AsType[*fishError](err); ok {
		for _, none := range []string{"No data available", "Operation not supported", "No such file or directory"} {
			if strings.HasSuffix(said.message, none) {
				return "", nil
			}
		}
	}
	return strings.TrimRight(string(out), "\x00"), err
}
