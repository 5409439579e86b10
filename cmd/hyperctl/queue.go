package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newQueue(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "queue",
		Short: "Show how many jobs wait, and why each held one does not start",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runQueue(cmd.Context(), con) },
	}
}

// queueDoc is the queue in JSON and YAML.
type queueDoc struct {
	Liveness queue.Liveness `json:"liveness"`
	Counts   queue.Counts   `json:"counts"`
	Held     []queue.Held   `json:"held"`
	HeldMore int            `json:"held_more"` // held entries beyond those listed
}

func runQueue(ctx context.Context, con *console) error {
	sp, err := con.openSpool()
	if err != nil {
		return err
	}
	st, live, err := daemonStatus(sp)
	if err != nil {
		return err
	}
	if st.Counts, err = sp.Count(ctx); err != nil {
		return err
	}
	if live != queue.LiveRunning {
		st.Held, st.HeldMore = nil, 0 // what held them when the daemon ran may be gone
	}
	doc := queueDoc{Liveness: live, Counts: st.Counts, Held: st.Held, HeldMore: st.HeldMore}
	if doc.Held == nil {
		doc.Held = []queue.Held{}
	}
	if con.opts.output == outName || con.opts.output == outTSV {
		return printAll(con, heldView(con), all(doc.Held))
	}
	var tableErr error
	err = con.printOne(doc, "", func(w io.Writer) { tableErr = writeQueue(w, con, doc) })
	if tableErr != nil {
		return tableErr
	}
	if err == nil && live != queue.LiveRunning {
		con.note("%s: nothing starts, and nobody says what waits for what", daemonFailure(live, st, sp.Dir(), con.now()).what)
	}
	return err
}

func writeQueue(w io.Writer, con *console, d queueDoc) error {
	c := d.Counts
	if !con.opts.quiet {
		fmt.Fprintf(w, "%d queued, %d waiting, %d running, %d ignored; today %d done, %d failed\n",
			c.Queued, c.Waiting, c.Running, c.Ignored, c.DoneToday, c.FailedToday)
	}
	if len(d.Held) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	lw := newLineWriter(w)
	t := newTable(lw, con, heldView(con).columns)
	for _, h := range d.Held {
		if err := t.add(h); err != nil {
			return err
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	if err := lw.flush(); err != nil {
		return err
	}
	if d.HeldMore > 0 {
		fmt.Fprintf(w, "and %d more\n", d.HeldMore)
	}
	return nil
}

func heldView(con *console) view[queue.Held] {
	now := con.now()
	return view[queue.Held]{
		name: func(h queue.Held) string { return h.Name },
		doc:  func(h queue.Held) any { return h },
		columns: []column[queue.Held]{
			{title: "STATE", cell: func(h queue.Held) (string, string) { return con.style.state(h.State) }},
			{title: "NAME", cell: func(h queue.Held) (string, string) { return clean(h.Name), "" }},
			{title: "SINCE", right: true, cell: func(h queue.Held) (string, string) {
				if h.Since.IsZero() {
					return "", ""
				}
				return spanText(now.Sub(h.Since).Round(time.Second)), ""
			}},
			{title: "WHY", cell: func(h queue.Held) (string, string) { return cleanLine(h.Reason), "" }},
		},
	}
}
