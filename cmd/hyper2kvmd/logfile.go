package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
)

// reopenWriter writes to a file that is opened anew on SIGHUP, so that a log can be rotated by moving it away.
type reopenWriter struct {
	mu   sync.Mutex
	path string
	f    *os.File
}

func openLog(path string) (*reopenWriter, error) {
	w := &reopenWriter{path: path}
	return w, w.Reopen()
}

// Reopen opens the path again and closes the old file.
func (w *reopenWriter) Reopen() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := os.MkdirAll(filepath.Dir(w.path), 0o750); err != nil {
		return fmt.Errorf("log_file: %w", err)
	}
	f, err := os.OpenFile(w.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("log_file: %w", err)
	}
	if w.f != nil {
		w.f.Close()
	}
	w.f = f
	return nil
}

// Write appends to the file that is open now.
func (w *reopenWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.f.Write(p)
}

// newLogger logs to stderr, and to file too where there is one. Under systemd stderr is the journal, which has times of its own.
func newLogger(level slog.Level, file io.Writer) *slog.Logger {
	stderr := &slog.HandlerOptions{Level: level}
	if os.Getenv("JOURNAL_STREAM") != "" {
		stderr.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	if file == nil {
		return slog.New(slog.NewTextHandler(os.Stderr, stderr))
	}
	return slog.New(slog.NewMultiHandler(
		slog.NewTextHandler(os.Stderr, stderr),
		slog.NewTextHandler(file, &slog.HandlerOptions{Level: level}),
	))
}
