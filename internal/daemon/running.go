package daemon

import (
	"fmt"
	"maps"
	"slices"
)

// early is the wish to end a job that has been claimed and has not come to its goroutine yet.
type early struct {
	ending ending
	reason string
}

// register puts a job on the list of running ones, with what was wished for it before.
func (d *Daemon) register(j *job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running[j.id] = j
	if e, ok := d.early[j.id]; ok {
		delete(d.early, j.id)
		j.ending, j.reason = e.ending, e.reason
	} else if d.returning {
		j.ending, j.reason = endRequeue, stopReason
	}
}

// unregister takes a job off the list and gives its space back.
func (d *Daemon) unregister(j *job) {
	d.space.release(j.id)
	d.mu.Lock()
	delete(d.running, j.id)
	d.mu.Unlock()
}

// isEnding says whether the end of a job is decided, and perhaps on the disk in part.
func (d *Daemon) isEnding(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	j := d.running[id]
	return j != nil && j.isDecided()
}

// endJob ends a running job from outside, one too that was claimed this moment. It says false when there is no such job or it is
// too late.
func (d *Daemon) endJob(id string, e ending, reason string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if j := d.running[id]; j != nil {
		return j.end(e, reason)
	}
	if d.unrecorded[id] != "" {
		return false
	}
	live := map[string]bool{}
	for _, c := range d.spool.Live() {
		live[c.Record().ID] = true
	}
	maps.DeleteFunc(d.early, func(id string, _ early) bool { return !live[id] })
	if was, ok := d.early[id]; ok { // the first wish counts, as in job.end
		return was.ending == e
	}
	if live[id] {
		d.early[id] = early{e, reason}
	}
	return live[id]
}

// stopReason is why jobs go back to the queue when the daemon does not wait for them.
const stopReason = "the daemon stopped"

// returnAll returns all running jobs to the queue, and those that are just being started.
func (d *Daemon) returnAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.returning = true
	for _, j := range d.running {
		j.end(endRequeue, stopReason)
	}
}

// isOver says whether the end of a job is on the disk. The list of running jobs is no answer: a job leaves it a moment later, and in
// between the queue would take what waits for it for something that waits for ever.
func (j *job) isOver() bool {
	return !slices.Contains(j.d.spool.Live(), j.claim)
}

// setUnrecorded notes why the end of a job cannot be recorded, for the status; "" when it has been.
func (d *Daemon) setUnrecorded(id, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if why == "" {
		delete(d.unrecorded, id)
		return
	}
	d.unrecorded[id] = why
}

// onlyUnrecorded says whether nothing runs but jobs whose end cannot be recorded.
func (d *Daemon) onlyUnrecorded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, j := range d.running {
		if d.unrecorded[j.id] == "" {
			return false
		}
	}
	return len(d.running) > 0
}

// unrecordedReasons lists the jobs that stay in processing/ because their end cannot be recorded.
func (d *Daemon) unrecordedReasons() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []string
	for _, id := range slices.Sorted(maps.Keys(d.unrecorded)) {
		all = append(all, fmt.Sprintf("the end of job %s cannot be recorded: %s", id, d.unrecorded[id]))
	}
	return all
}
