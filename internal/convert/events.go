package convert

import (
	"sync"
	"time"

	"hyper2kvm/internal/manifest"
)

// serialEvents keeps the promise of Events: calls come one at a time, though a copy tells its progress from many goroutines.
type serialEvents struct {
	mu sync.Mutex
	to Events
}

func (s *serialEvents) Stage(name string, index, count int, status, reason string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to.Stage(name, index, count, status, reason, took)
}

func (s *serialEvents) Progress(stage string, done, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to.Progress(stage, done, total)
}

func (s *serialEvents) Log(stage, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to.Log(stage, message)
}

func (s *serialEvents) Warning(w manifest.Warning) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to.Warning(w)
}
