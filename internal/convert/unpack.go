package convert

import (
	"context"
	"errors"
	"fmt"
	"io"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// minRoom is the least that is asked for while a source is unpacked, in bytes. Small enough not to keep a small disk waiting for space
// that it does not need, large enough to ask seldom.
const minRoom = 16 << 20

// unpacker inflates the sources of one run that are compressed as a whole.
//
// How much they hold is not known before: the size at the end of a gzip file is that of its last member, modulo 4 GiB, and the others
// state none that binds. So there is no upper bound to reserve. The space is reserved in steps of a quarter of what is there instead,
// each before it is used: the reservation always covers what is written, other jobs count it, and a step that does not fit makes the
// job wait for all that it has come to need, like any other job, or fail with H2K-SPC-001 where no waiting would help. The scratch files
// lie in Request.Partial without names and end with the run; LOAD adds what the output needs when it knows what the sources hold.
type unpacker struct {
	run    *Run
	stored int64 // bytes that the scratch files of this run store
}

// unpack returns the content of a compressed file. It leaves f open.
func (u *unpacker) unpack(ctx context.Context, f disk.File, method, name string) (disk.File, error) {
	progress, end := u.run.loadMeter(f.Size()).part(f.Size())
	before := u.stored
	plain, stored, err := packed.Unpack(ctx, f, packed.Options{
		Dir:      u.run.Request.Partial,
		Progress: func(done int64) { progress(done, f.Size()) },
		Room:     func(stored, more int64) (int64, error) { return u.room(ctx, before+stored, before, more) },
	})
	if errors.Is(err, packed.ErrScratch) {
		return nil, &outputError{err}
	}
	if err != nil {
		return nil, err
	}
	end()
	u.stored = before + stored
	u.run.Events.Log(StageLoad, oneLine(fmt.Sprintf("%s unpacked: %s of %s, %s stored for %s of content",
		name, sizeText(f.Size()), method, sizeText(stored), sizeText(plain.Size()))))
	return plain, nil
}

// room reserves space for more bytes than the held ones, and answers how many the file, before which others store some, may have.
func (u *unpacker) room(ctx context.Context, held, before, more int64) (int64, error) {
	total := held + max(more, held/4, minRoom)
	if err := u.reserve(ctx, total, held); err != nil {
		return 0, fmt.Errorf("reserve %s to unpack a source: %w", sizeText(total), err)
	}
	return total - before, nil
}

func (u *unpacker) reserve(ctx context.Context, total, held int64) error {
	return u.run.Host.Reserve(ctx, []SpaceNeed{{Dir: u.run.Request.Partial, Bytes: total, Held: held}})
}

// unpackedFile is the content of a compressed file. It closes both.
type unpackedFile struct {
	disk.File           // the content
	stored    disk.File // the file as it is stored, over which checksums are stated
	method    string
	sealed    bool // a dry run does not unpack: File is stored, and what is in it is not known
}

// NextData implements disk.HoleFinder: the scratch file knows its holes.
func (u *unpackedFile) NextData(off int64) (start, end int64, err error) {
	if h, ok := u.File.(disk.HoleFinder); ok {
		return h.NextData(off)
	}
	if off >= u.Size() {
		return 0, 0, io.EOF
	}
	return off, u.Size(), nil
}

// Close closes the content and the file.
func (u *unpackedFile) Close() error {
	if u.sealed {
		return u.stored.Close()
	}
	return errors.Join(u.File.Close(), u.stored.Close())
}

// asStored returns a file as it lies on the disk or in the archive.
func asStored(f disk.File) disk.File {
	if u, ok := f.(*unpackedFile); ok {
		return u.stored
	}
	return f
}

// contentName is the name of what is in f: that of the file without the ending that it does not need any more. A file that ends in .gz and
// is not compressed keeps it, and is nothing that is known.
func contentName(f disk.File, name string) string {
	if _, ok := f.(*unpackedFile); ok {
		return packed.PlainName(name)
	}
	return name
}

// storedAs says how a file lies there: its size, how it is compressed, "" if it is not, and whether it stays so.
func storedAs(f disk.File) (size int64, method string, sealed bool) {
	if u, ok := f.(*unpackedFile); ok {
		return u.stored.Size(), u.method, u.sealed
	}
	return f.Size(), "", false
}

// plain returns f, or its content if it is compressed as a whole. It takes f over.
func (g *gatherer) plain(f disk.File, name string) (disk.File, error) {
	method, ok := packed.Detect(f)
	if !ok {
		return f, nil
	}
	if g.unpack == nil {
		return &unpackedFile{File: f, stored: f, method: method, sealed: true}, nil
	}
	content, err := g.unpack(g.ctx, f, method, name)
	if err != nil {
		f.Close()
		return nil, err
	}
	u := &unpackedFile{File: content, stored: f, method: method}
	if content.Size() == 0 {
		_ = u.Close() // only read
		return nil, coded(manifest.CodeSourceEmpty, "", fmt.Errorf("source %s is compressed with %s, and there is nothing in it", machine.Quote(name), method))
	}
	return u, nil
}

// statedRaw reports whether a person said that a file is a raw disk as it is: then it is not looked into, whatever a guest has written
// to its first sector. A name that ends in .gz says more than a format, which is that of the content.
func (g *gatherer) statedRaw(name, stated string) bool {
	return plainFormat(stated) == manifest.FormatRaw && packed.PlainName(name) == name
}
