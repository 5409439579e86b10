package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

func newPing(con *console) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "ping",
		Short: "Tell by the exit code whether the daemon runs: 0 when it does, 5 when not",
		Long: `Tell by the exit code whether the daemon runs: 0 when it does, 5 when it does not, or hangs. It reads the daemon's lock and heartbeat
in the workflow directory and nothing else, so that it is made for health checks. With --timeout it waits for a daemon that is about to
start; the exit code is then 7 when it does not run in time.`,
		Example: `  hyperctl ping
  hyperctl ping --timeout 30s && hyperctl manifest submit web01.vmdk
  hyperctl ping -q || systemctl restart hyper2kvm-workflow`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runPing(cmd.Context(), con, timeout) },
	}
	timeoutFlag(cmd.Flags(), &timeout, "wait for this `time` at most until it runs; 0 is not at all")
	return cmd
}

// pingDoc is the answer in JSON and YAML.
type pingDoc struct {
	WorkflowDir string         `json:"workflow_dir"`
	Liveness    queue.Liveness `json:"liveness"`
	Running     bool           `json:"running"`
	PID         int            `json:"pid"`
	AgeSeconds  float64        `json:"heartbeat_age_seconds"`
}

// pingEvery is how often a daemon that is waited for is looked at.
const pingEvery = 100 * time.Millisecond

func runPing(ctx context.Context, con *console, timeout time.Duration) error {
	deadline := con.now().Add(timeout)
	for {
		doc, f, err := con.ping()
		switch {
		case err != nil && !waitsForDaemon(err), err != nil && timeout == 0:
			return err
		case err == nil && f == nil:
			return con.printOne(doc, string(doc.Liveness), func(w io.Writer) {
				if !con.opts.quiet {
					fmt.Fprintf(w, "the daemon runs: process %d, %s\n", doc.PID, clean(doc.WorkflowDir))
				}
			})
		case err == nil && timeout == 0:
			return f
		case !con.now().Before(deadline):
			if err == nil {
				err = f
			}
			last := explainError(err)
			return &failure{exit: exitTimeout, what: "the daemon does not run after " + tookText(timeout), why: last.Error(), try: last.try, err: err}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pingEvery):
		}
	}
}

// waitsForDaemon tells whether an error is one that the daemon's start ends: it makes the directory.
func waitsForDaemon(err error) bool {
	exit := explainError(err).exit
	return exit == exitDaemon || exit == exitNotFound
}

// ping looks once.
func (c *console) ping() (pingDoc, *failure, error) {
	sp, err := c.openSpool()
	if err != nil {
		return pingDoc{}, nil, err
	}
	st, live, err := daemonStatus(sp)
	if err != nil {
		return pingDoc{}, nil, err
	}
	doc := pingDoc{WorkflowDir: sp.Dir(), Liveness: live, Running: live == queue.LiveRunning, PID: st.PID, AgeSeconds: c.now().Sub(st.At).Seconds()}
	return doc, daemonFailure(live, st, sp.Dir(), c.now()), nil
}
