// Package web holds the built files of the dashboard. They are committed, so that building the program needs no Node; scripts/web
// builds them anew and proves that they are what the source gives.
package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed dist
var built embed.FS

// Files are the built files: index.html and what it loads. Of each text there is NAME.gz too, packed when it is first asked for: in
// the repository it would be the same content twice, and unreadable.
func Files() fs.FS {
	dist, err := fs.Sub(built, "dist")
	if err != nil {
		panic(err) // the name is right above
	}
	return &files{dist: dist, packed: map[string][]byte{}}
}

// texts are the kinds of files that get smaller.
var texts = map[string]bool{".css": true, ".html": true, ".js": true, ".json": true, ".svg": true}

type files struct {
	dist fs.FS

	mu     sync.Mutex
	packed map[string][]byte // by name, with .gz; there are no more than there are files
}

// Open opens a built file, or one packed.
func (f *files) Open(name string) (fs.File, error) {
	plain, ok := strings.CutSuffix(name, ".gz")
	if !ok || !texts[path.Ext(plain)] {
		return f.dist.Open(name)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.packed[name]
	if !ok {
		content, err := fs.ReadFile(f.dist, plain)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		if b, err = pack(content); err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		f.packed[name] = b
	}
	return &packed{Reader: bytes.NewReader(b), name: path.Base(name), size: int64(len(b))}, nil
}

func pack(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

// packed is an open file that was packed.
type packed struct {
	io.Reader
	name string
	size int64
}

func (p *packed) Stat() (fs.FileInfo, error) { return p, nil }
func (p *packed) Close() error               { return nil }
func (p *packed) Name() string               { return p.name }
func (p *packed) Size() int64                { return p.size }
func (p *packed) Mode() fs.FileMode          { return 0o444 }
func (p *packed) ModTime() time.Time         { return time.Time{} }
func (p *packed) IsDir() bool                { return false }
func (p *packed) Sys() any                   { return nil }
