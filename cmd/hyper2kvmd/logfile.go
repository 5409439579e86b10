package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/coreos/go-systemd/v22/journal"
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

// newLogger logs to stderr, and to file too where there is one. Where stderr is the journal, messages go there with fields.
func newLogger(level slog.Level, file io.Writer) *slog.Logger {
	var stderr slog.Handler = slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})
	if is, err := journal.StderrIsJournalStream(); is && err == nil {
		stderr = &journalHandler{level: level, send: journal.Send, other: stderr}
	}
	if file == nil {
		return slog.New(stderr)
	}
	return slog.New(slog.NewMultiHandler(
		stderr,
		slog.NewTextHandler(file, &slog.HandlerOptions{Level: level}),
	))
}
