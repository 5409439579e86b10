package daemon

import (
	"context"
	"time"

	"hyper2kvm/internal/queue"
)

// pruneEvery is how often the queue is looked through for what has had its time: rules are about days, and about space that jobs of
// many minutes take.
const pruneEvery = 10 * time.Minute

// retain removes finished jobs that have had their time, until ctx ends.
func (d *Daemon) retain(ctx context.Context) {
	for {
		d.prune(ctx)
		if !pause(ctx, pruneEvery) {
			return
		}
	}
}

// prune does what the retention settings say, once, and logs everything that it removes. Notes of the queue's own that nothing is
// left of go too, whatever the settings say.
func (d *Daemon) prune(ctx context.Context) {
	err := d.spool.Prune(ctx, d.Settings().Retention, func(p queue.Pruned) {
		d.log.Info("retention removed a "+p.What, "job", p.ID, "path", p.Path, "bytes", p.Bytes, "reason", p.Why)
	})
	if err != nil && ctx.Err() == nil {
		d.log.Error("retention", "error", err)
	}
	if n, err := d.spool.PruneOrigins(ctx); err != nil && ctx.Err() == nil {
		d.log.Error("old notes on origins cannot be removed", "error", err)
	} else if n > 0 {
		d.log.Debug("old notes on origins removed", "notes", n)
	}
}
