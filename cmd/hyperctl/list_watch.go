package main

import (
	"context"
	"time"

	"hyper2kvm/internal/queue"
)

// watchList prints the list, and then a row for each job that is new or has changed its state, its stage or its reason, until it is
// interrupted. Rows are only ever added; in JSON each is a line, in YAML a document.
func watchList(ctx context.Context, con *console, sp jobSource, filter queue.Filter) error {
	v := jobsView(con)
	w := newLineWriter(con.out)
	t := newTable(w, con, v.columns)
	seen := map[string]string{}
	for {
		now := map[string]string{}
		for j, err := range sp.Jobs(ctx, filter) {
			if err != nil {
				return stoppedByHand(ctx, err)
			}
			key, is := watchKey(j), string(j.State)+"\x00"+stageText(j)+"\x00"+j.Reason
			now[key] = is
			if seen[key] == is {
				continue
			}
			if err := putRow(con, w, t, v, &j); err != nil {
				return err
			}
		}
		seen = now
		if err := t.flush(); err != nil {
			return err
		}
		if err := w.flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return stoppedByHand(ctx, ctx.Err())
		case <-time.After(watchEvery):
		}
		v = jobsView(con) // ages count from now
		t.columns = newTable(w, con, v.columns).columns
	}
}

// stoppedByHand is how an endless output ends as it should: by the person who wanted it.
func stoppedByHand(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &failure{exit: exitInterrupted, what: "interrupted", err: ctx.Err(), mute: true}
	}
	return err
}

// putRow prints one row of a list that has no end.
func putRow[T any](c *console, w lineWriter, t *table[T], v view[T], row T) error {
	switch {
	case c.opts.output == outName:
		return w.put(clean(v.name(row)), "\n")
	case c.opts.output.documents():
		b, err := c.encodeOne(v.doc(row))
		if err != nil {
			return err
		}
		return w.put(string(b))
	}
	return t.add(row)
}
