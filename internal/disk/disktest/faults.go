package disktest

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"hyper2kvm/internal/disk"
)

// ErrInjected is the fault of the failing files where no other error was given.
var ErrInjected = errors.New("fault on purpose")

// FailingTarget is a Target whose Nth operation fails, and every one after it.
type FailingTarget struct {
	disk.Target
	FailAt int   // 1 is the first of WriteAt, Truncate and Sync together; 0 never fails
	Err    error // nil is ErrInjected; unix.ENOSPC for a full disk
	Short  bool  // a failing WriteAt writes half of what it got
	ops    atomic.Int64
}

// Ops returns how many operations there were.
func (f *FailingTarget) Ops() int { return int(f.ops.Load()) }

func (f *FailingTarget) fail() error {
	if n := f.ops.Add(1); f.FailAt == 0 || n < int64(f.FailAt) {
		return nil
	}
	if f.Err != nil {
		return f.Err
	}
	return ErrInjected
}

// WriteAt implements io.WriterAt.
func (f *FailingTarget) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fail(); err != nil {
		if !f.Short {
			return 0, err
		}
		n, _ := f.Target.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	return f.Target.WriteAt(p, off)
}

// Truncate changes the size.
func (f *FailingTarget) Truncate(size int64) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Target.Truncate(size)
}

// Sync syncs.
func (f *FailingTarget) Sync() error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.Target.Sync()
}

// FailingFile is a File whose Nth read fails, and every one after it. It hides the holes of the file below.
type FailingFile struct {
	disk.File
	FailAt int   // 1 is the first ReadAt; 0 never fails
	Err    error // nil is ErrInjected
	Short  bool  // a failing ReadAt returns half of the bytes and io.ErrUnexpectedEOF
	reads  atomic.Int64
}

// Reads returns how many reads there were.
func (f *FailingFile) Reads() int { return int(f.reads.Load()) }

// ReadAt implements io.ReaderAt.
func (f *FailingFile) ReadAt(p []byte, off int64) (int, error) {
	n := f.reads.Add(1)
	switch {
	case f.FailAt == 0 || n < int64(f.FailAt):
		return f.File.ReadAt(p, off)
	case f.Short:
		got, _ := f.File.ReadAt(p[:len(p)/2], off)
		return got, io.ErrUnexpectedEOF
	case f.Err != nil:
		return 0, f.Err
	}
	return 0, ErrInjected
}

// TruncatedFile returns f as if it ended after size bytes. It hides the holes.
func TruncatedFile(f disk.File, size int64) disk.File {
	return disk.SectionFile(f.Name(), f, 0, min(size, f.Size()), f)
}

// LyingFile returns f cut after there bytes, but with the size it had: a file that became shorter while it was read.
func LyingFile(f disk.File, there int64) disk.File {
	return lyingFile{TruncatedFile(f, there), f.Size()}
}

type lyingFile struct {
	disk.File
	size int64
}

func (l lyingFile) Size() int64 { return l.size }

// Trace is what went through a traced Opener.
type Trace struct {
	mu     sync.Mutex
	names  []string
	opened int
	closed int
}

// TracingOpener returns open and the record of what it is asked for.
func TracingOpener(open disk.Opener) (disk.Opener, *Trace) {
	tr := &Trace{}
	return func(name string) (disk.File, error) {
		tr.mu.Lock()
		tr.names = append(tr.names, name)
		tr.mu.Unlock()
		f, err := open(name)
		if err != nil {
			return nil, err
		}
		tr.mu.Lock()
		tr.opened++
		tr.mu.Unlock()
		once := &tracedFile{File: f, tr: tr}
		if h, ok := f.(disk.HoleFinder); ok {
			return &tracedHoles{once, h}, nil
		}
		return once, nil
	}, tr
}

// Names returns every name that was asked for, in order.
func (tr *Trace) Names() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Clone(tr.names)
}

// CheckClosed fails the test if a file that was opened was not closed.
func (tr *Trace) CheckClosed(tb testing.TB) {
	tb.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.opened != tr.closed {
		tb.Errorf("%d files were opened and %d closed; names asked for: %q", tr.opened, tr.closed, tr.names)
	}
}

type tracedFile struct {
	disk.File
	tr   *Trace
	once sync.Once
}

func (f *tracedFile) Close() error {
	f.once.Do(func() {
		f.tr.mu.Lock()
		defer f.tr.mu.Unlock()
		f.tr.closed++
	})
	return f.File.Close()
}

// ID passes on who the file is, where it knows.
func (f *tracedFile) ID() string {
	if h, ok := f.File.(interface{ ID() string }); ok {
		return h.ID()
	}
	return f.Name()
}

type tracedHoles struct {
	*tracedFile
	holes disk.HoleFinder
}

func (f *tracedHoles) NextData(off int64) (start, end int64, err error) { return f.holes.NextData(off) }

// Nowhere is a target that keeps nothing.
type Nowhere struct{}

// WriteAt takes p.
func (Nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

// Truncate does nothing.
func (Nowhere) Truncate(int64) error { return nil }

// Sync does nothing.
func (Nowhere) Sync() error { return nil }
