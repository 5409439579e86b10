package initramfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
)

// List reads the image of size bytes in r. Nothing is returned together with an error.
func List(ctx context.Context, r io.ReaderAt, size int64) (Contents, error) {
	if size > maxImage {
		return Contents{}, fmt.Errorf("%w: an image of %d bytes; %d are allowed", ErrLimit, size, int64(maxImage))
	}
	unified := false
	if u, err := ReadUnified(r, size); err == nil {
		r, size, unified = u.Initrd, u.Initrd.Size(), true
	} else if !errors.Is(err, ErrFormat) {
		return Contents{}, err
	}
	file := &remembered{ctx: ctx, r: r}
	l := lister{ctx: ctx, r: file, size: size, in: newSource(file, size), found: newCollector(), left: maxUnpacked}
	err := l.parts()
	switch {
	case ctx.Err() != nil:
		return Contents{}, ctx.Err()
	case file.fail != nil:
		return Contents{}, file.fail
	case err != nil:
		return Contents{}, err
	}
	out := l.found.contents()
	out.Archives, out.Trailing, out.Unified = l.archives, l.trailing, unified
	return out, nil
}

// lister walks over the parts of one image.
type lister struct {
	ctx      context.Context
	r        io.ReaderAt
	size     int64
	in       *source
	found    *collector
	left     int64 // bytes of content that may still come
	archives []Archive
	trailing bool
}

// parts reads part after part, as unpack_to_rootfs in the kernel does: zeros are skipped, an archive is read where it stands, and
// anything else must be compressed.
func (l *lister) parts() error {
	for {
		err := skipZeros(l.in)
		if errors.Is(err, io.EOF) && len(l.archives) > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		head, err := l.in.Peek(headBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		at := l.in.offset()
		switch method := methodOf(head); {
		case isCpio(head):
			err = l.archive(l.in, at, "none")
		case method.open != nil:
			err = l.compressed(method, at)
			if errors.Is(err, errJunk) {
				l.trailing = true
				return nil
			}
		case method.name != "": // behind microcode too: what the guest starts from is in it, and not known
			return fmt.Errorf("%w: %s", ErrUnsupported, method.name)
		case len(l.archives) > 0:
			l.trailing = true
			return nil
		default:
			return fmt.Errorf("%w: it begins with %.16q", ErrFormat, head)
		}
		if err != nil {
			return err
		}
	}
}

// archive reads one archive of a stream.
func (l *lister) archive(s stream, at int64, compression string) error {
	if len(l.archives) == maxArchives {
		return fmt.Errorf("%w: more than %d archives", ErrLimit, maxArchives)
	}
	n, err := readArchive(s, func(e entry, body io.Reader) error {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		return l.found.add(e, body)
	})
	switch {
	case err == nil:
	case errors.Is(err, io.ErrUnexpectedEOF):
		return damaged(at, err)
	default:
		return err
	}
	l.archives = append(l.archives, Archive{Offset: at, Compression: compression, Entries: n})
	return nil
}

// compressed reads the archives of a compressed part and leaves the source behind it. It returns errJunk where that place is not
// known, or the content ends with something that is no archive.
func (l *lister) compressed(m method, at int64) error {
	p, err := m.open(l, at)
	if err != nil {
		return wrapPart(m, at, err)
	}
	if p.close != nil {
		defer p.close()
	}
	meter := &meter{ctx: l.ctx, r: p.content, left: &l.left}
	out := unpacked{bufio.NewReaderSize(meter, bufferBytes)}
	for n := 0; ; n++ {
		err := skipZeros(out)
		if err == nil && n > 0 {
			if head, _ := out.Peek(len(cpioMagics[0])); !isCpio(head) {
				return errJunk
			}
		}
		if err == nil {
			err = l.archive(out, at, m.name)
		}
		switch {
		case err == nil:
		case n > 0 && errors.Is(err, io.EOF):
			return l.in.seek(p.end())
		case n > 0 && p.behind != nil && meter.fail != nil:
			// The archives are complete; the decompressor may complain of what follows its data.
			end, ok := p.behind(meter.fail)
			if !ok {
				return wrapPart(m, at, err)
			}
			return l.in.seek(end)
		default:
			return wrapPart(m, at, err)
		}
	}
}

// wrapPart gives a decompressor's error its kind and place.
func wrapPart(m method, at int64, err error) error {
	for _, kind := range []error{ErrCorrupt, ErrLimit, ErrUnsupported} {
		if errors.Is(err, kind) {
			return err
		}
	}
	return damaged(at, fmt.Errorf("%s: %w", m.name, err))
}

// remembered keeps what went wrong with the file underneath, which decompressors report as damage, and ends with the context.
type remembered struct {
	ctx  context.Context
	r    io.ReaderAt
	fail error
}

func (m *remembered) ReadAt(p []byte, off int64) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		m.fail = err
	}
	return n, err
}
