package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"hyper2kvm/internal/queue"
)

// put moves a file into the drop zone.
func (m *sim) put(name, content string) error {
	path := filepath.Join(m.w, queue.DirQueued, name)
	if exists(path) { // a user would replace it
		return nil
	}
	m.say("drop %s", name)
	m.dropped[content] = name
	elsewhere, old := filepath.Join(filepath.Dir(m.w), name), m.now().Add(-time.Hour)
	defer m.changed(name)
	return errors.Join(os.WriteFile(elsewhere, []byte(content), 0o644), os.Chtimes(elsewhere, old, old), os.Rename(elsewhere, path))
}

// drop drops a disk, or a manifest with its disks, in any order.
func (m *sim) drop() error {
	m.files++
	n := m.files
	disk := func() string {
		m.files++
		return fmt.Sprintf("vm%d.img", m.files)
	}
	switch m.rnd.IntN(8) {
	case 0: // the name of an earlier one
		return m.put("same.img", fmt.Sprintf("disk %d", n))
	case 1: // several jobs in one file
		a, b := disk(), disk()
		m.missing, m.members = append(m.missing, a, b), append(m.members, a, b)
		return m.put(fmt.Sprintf("batch%d.yaml", n), fmt.Sprintf("jobs:\n  - input: %s\n  - input: %s\n", a, b))
	case 2, 3: // a manifest that names where its result is to stand
		name, dir := disk(), m.own[m.rnd.IntN(len(m.own))]
		text := fmt.Sprintf("input: %s\noutput_dir: %s\n", name, dir)
		m.members = append(m.members, name)
		if m.rnd.IntN(2) == 0 { // it comes after its disk
			if err := m.put(name, "disk "+name); err != nil {
				return err
			}
			m.pass(10 * time.Second)
			return m.put(fmt.Sprintf("cfg%d.yaml", n), text)
		}
		m.missing = append(m.missing, name)
		return m.put(fmt.Sprintf("cfg%d.yaml", n), text)
	default:
		name := disk()
		return m.put(name, "disk "+name)
	}
}

// bring drops a disk that a manifest waits for.
func (m *sim) bring() error {
	if len(m.missing) == 0 {
		return nil
	}
	name := m.missing[0]
	m.missing = m.missing[1:]
	return m.put(name, "disk "+name)
}

// pass lets up to so much time go by.
func (m *sim) pass(most time.Duration) { time.Sleep(time.Duration(m.rnd.Int64N(int64(most)))) }

// write begins to write a file, or ends it.
func (m *sim) write() error {
	for name, f := range m.writers {
		m.say("end writing %s", name)
		delete(m.writers, name)
		_, err := f.WriteString(name)
		m.changed(name)
		return errors.Join(err, f.Close())
	}
	m.files++
	name := fmt.Sprintf("slow%d.img", m.files)
	m.say("begin to write %s", name)
	f, err := os.OpenFile(filepath.Join(m.w, queue.DirQueued, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	m.writers[name], m.dropped["slow "+name] = f, name
	_, err = f.WriteString("slow ")
	m.changed(name)
	return err
}

// request asks the daemon for something, as hyperctl does, and holds its answer against what it is to mean.
func (m *sim) request() error {
	client, err := queue.Open(m.w)
	if err != nil {
		return err
	}
	c := queue.Control{Verb: []string{
		queue.VerbCancel, queue.VerbCancel, queue.VerbCancel, queue.VerbRetry, queue.VerbRelease, queue.VerbPause, queue.VerbResume, queue.VerbResume,
		queue.VerbDrain, queue.VerbPriority,
	}[m.rnd.IntN(10)]}
	var job queue.Job
	switch c.Verb {
	case queue.VerbCancel, queue.VerbRetry, queue.VerbRelease, queue.VerbPriority:
		var all []queue.Job
		for j, err := range client.Jobs(context.Background(), queue.Filter{}) {
			if err != nil {
				return err
			}
			if c.Verb != queue.VerbRetry && (j.State == queue.Done || j.State == queue.Failed) || c.Verb == queue.VerbRetry && j.State != queue.Failed {
				continue
			}
			all = append(all, j)
		}
		if len(all) == 0 {
			return nil
		}
		job = all[m.rnd.IntN(len(all))]
		if c.Job = job.ID; c.Job == "" {
			c.Job = job.Name
		}
		c.Priority = 1 + m.rnd.IntN(100)
	}
	if c.Verb == queue.VerbCancel { // whatever the answer will be
		m.mu.Lock()
		m.cancelled[c.Job], m.cancelled[job.OriginalName] = true, true
		m.mu.Unlock()
	}
	if c.Verb == queue.VerbResume {
		m.mu.Lock()
		m.pausedAt = 0
		m.mu.Unlock()
	}
	reply, err := client.Request(context.Background(), c)
	m.say("%s %s (%s): %q, %v", c.Verb, c.Job, job.OriginalName, reply.Message, err)
	if err != nil {
		return nil //nolint:nilerror // it came too late, or the daemon is dead
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case c.Verb == queue.VerbPause:
		m.pausedAt = time.Since(m.began)
	case reply.Message == "cancelling" && c.Job == job.ID && !m.life.dead.Load():
		m.promised[c.Job] = true
	case reply.Message == "cancelled" && exists(filepath.Join(m.w, queue.DirQueued, job.Name)) && c.Job == job.Name:
		return fmt.Errorf("%s was cancelled and is still in the queue", job.Name)
	}
	return nil
}

// reload changes the settings.
func (m *sim) reload() error {
	next := m.settings
	next.Workers = 1 + m.rnd.IntN(4)
	m.mu.Lock()
	m.life.workers = max(m.life.workers, next.Workers)
	m.mu.Unlock()
	m.say("reload: %d workers", next.Workers)
	if _, err := m.life.d.Reload(next); err != nil {
		return err
	}
	m.settings = next
	return nil
}

// act does one thing at random.
func (m *sim) act() error {
	switch n := m.rnd.IntN(100); {
	case n < 22:
		return m.drop()
	case n < 28:
		return m.bring()
	case n < 34:
		return m.write()
	case n < 52:
		m.pass([]time.Duration{time.Second, 10 * time.Second, time.Minute}[m.rnd.IntN(3)])
	case n < 70:
		return m.request()
	case n < 74:
		return m.reload()
	case n < 79: // a time server or a person
		d := time.Duration(m.rnd.Int64N(int64(48*time.Hour))) - 24*time.Hour
		m.say("the clock is set by %s", d)
		m.skew.Add(int64(d))
	case n < 82:
		m.mu.Lock()
		m.life.deaf = !m.life.deaf
		m.mu.Unlock()
	case n < 84:
		m.say("events are lost")
		m.mu.Lock()
		if m.life.hear != nil {
			select {
			case m.life.hear.Errors <- fsnotify.ErrEventOverflow:
			default:
			}
		}
		m.mu.Unlock()
	case n < 86:
		m.say("a second daemon")
		if d, err := New(context.Background(), Options{Settings: m.settings, Clock: m.now, Log: m.life.d.log, unswept: true}); !errors.Is(err, queue.ErrLocked) {
			return fmt.Errorf("a second daemon: %v, %w", d, err)
		}
	case n < 89:
		which, name := &m.full, "disk"
		if m.rnd.IntN(2) == 0 {
			which, name = &m.filled, "output's disk"
		}
		m.say("the %s is full", name)
		which.Store(true)
		m.pass(40 * time.Second)
		which.Store(false)
	case n < 90:
		m.say("the disk is broken")
		m.broken.Store(true)
		m.pass(20 * time.Second)
		if m.broken.Swap(false) {
			return nil
		}
		return errors.Join(m.end(), m.again()) // what an administrator has to do
	case n < 94:
		m.say("stop and start")
		return errors.Join(m.end(), m.again())
	case n < 97:
		m.say("killed")
		return errors.Join(m.bury(), m.again())
	default:
		m.life.left.Store(m.rnd.Int64N(60))
		m.say("it will be killed in %d steps", m.life.left.Load())
	}
	return nil
}
