package jobs

import (
	"context"
	"errors"

	"hyper2kvm/internal/queue"
)

// maxPaths bounds the ids that are remembered with the place of their job.
const maxPaths = 20_000

// learn remembers where a finished job stands: to find it by its id alone, every record of its day would be read.
func (d *Dir) learn(j queue.Job) {
	if j.ID == "" || j.Path == "" {
		return
	}
	if d.paths == nil || len(d.paths) >= maxPaths {
		d.paths = map[string]string{}
	}
	d.paths[j.ID] = j.Path
}

// Find finds one job as queue.Spool does, by id or name, and quickly when it was on a page before.
func (d *Dir) Find(ctx context.Context, key string) (queue.Job, error) {
	d.mu.Lock()
	path, known := d.paths[key]
	d.mu.Unlock()
	if known {
		j, err := d.spool.Find(ctx, path)
		if err == nil && j.ID == key {
			return j, nil
		}
		if err != nil && !errors.Is(err, queue.ErrNotFound) {
			return queue.Job{}, err
		}
	}
	j, err := d.spool.Find(ctx, key)
	if err == nil && (j.State == queue.Done || j.State == queue.Failed) {
		d.mu.Lock()
		d.learn(j)
		d.mu.Unlock()
	}
	return j, err
}

// ReadReport reads the report beside the output of a job, as it stands. fs.ErrNotExist when there is none.
func ReadReport(path string) ([]byte, error) { return readEnd(path, maxReport) }
