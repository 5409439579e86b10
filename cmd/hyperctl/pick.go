package main

import (
	"context"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/queue"
)

// pickMost is how many jobs somebody is asked to choose from: a list that fits on a screen.
const pickMost = 20

// interactive tells whether there is somebody at a terminal who can be asked.
func (c *console) interactive() bool {
	in, ok := c.in.(*os.File)
	return ok && isTTY(in) && c.errTTY && c.opts.output.people() && !isOn(c.getenv("CI"))
}

// newPrompter asks somebody at the terminal.
func (c *console) newPrompter(ctx context.Context) *prompter {
	p := &prompter{con: c, ctx: ctx, person: true}
	p.listen()
	return p
}

// jobArgs wants the names of jobs, unless somebody can be asked for one.
func (c *console) jobArgs() cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 0 || c.interactive() {
			return nil
		}
		return &failure{exit: exitUsage, what: "no job is named", why: "a job is named by its name or its id", try: "hyperctl workflow list"}
	}
}

// oneJobArg wants the name of one job, unless somebody can be asked for it.
func (c *console) oneJobArg() cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 && c.interactive() {
			return nil
		}
		return cobra.ExactArgs(1)(cmd, args)
	}
}

// pickJobs asks for a job where none is named: those in these states are offered, the newest of each day first.
func (c *console) pickJobs(ctx context.Context, named []string, states ...queue.State) ([]string, error) {
	if len(named) > 0 {
		return named, nil
	}
	sp, err := c.openSpool()
	if err != nil {
		return nil, err
	}
	var keys, lines []string
	for j, err := range sp.Jobs(ctx, queue.Filter{States: states, All: slices.Contains(states, queue.Failed), Limit: pickMost}) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, jobKey(j))
		lines = append(lines, strings.TrimSpace(string(j.State)+"  "+j.Name+"  "+stageText(j)+" "+j.Code))
	}
	if len(keys) == 0 {
		return nil, &failure{exit: exitNotFound, what: "there is no job to choose from", try: "hyperctl workflow list --all"}
	}
	line, err := c.newPrompter(ctx).pick("Which job", lines, "", "JOB")
	if err != nil {
		return nil, err
	}
	at := slices.Index(lines, line)
	if at < 0 {
		return nil, &failure{exit: exitUsage, what: "no job was chosen"}
	}
	return keys[at : at+1], nil
}
