package main

import (
	"errors"
	"io/fs"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// workflowOps are the values of --op; each is also a subcommand.
var workflowOps = []string{"status", "list", "queue", "watch"}

const workflowExample = `  hyperctl workflow                      the same as hyperctl workflow status
  hyperctl workflow -op list             the same as hyperctl workflow list
  hyperctl workflow list --state failed
  hyperctl workflow retry --failed`

func newWorkflow(con *console) *cobra.Command {
	var op string
	cmd := &cobra.Command{
		Use:     "workflow",
		Aliases: []string{"wf"},
		Short:   "See and steer the workflow directory and its jobs",
		Example: workflowExample,
		Args:    unknownCommand,
	}
	subs := map[string]*cobra.Command{
		"status": prints(newStatus(con), statusDoc{}),
		"list":   prints(newList(con), jobDoc{}),
		"queue":  prints(newQueue(con), queueDoc{}),
		"watch":  prints(newWatch(con), watchEvent{}),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if op == "" {
			op = "status"
		}
		sub := subs[op]
		sub.SetContext(cmd.Context())
		return sub.RunE(sub, args)
	}
	cmd.Flags().Var(enum{&op, workflowOps}, "op", "what to do; -op is accepted too")
	complete(cmd, "op", workflowOps)
	for _, name := range workflowOps {
		cmd.AddCommand(subs[name])
	}
	cmd.AddCommand(prints(newShow(con), jobDoc{}), prints(newLog(con), logDoc{}), prints(newWait(con), watchEvent{}))
	for _, sub := range []*cobra.Command{newRetry(con), newCancel(con), newRelease(con), newPriority(con), newPause(con), newDrain(con), newResume(con)} {
		cmd.AddCommand(prints(sub, answerDoc{}))
	}
	for _, sub := range cmd.Commands() {
		refuseOp(sub)
	}
	return cmd
}

// refuseOp gives a subcommand an --op that only says that the subcommand is the operation already.
func refuseOp(sub *cobra.Command) {
	sub.Flags().Var(noOp{sub}, "op", "")
	if err := sub.Flags().MarkHidden("op"); err != nil {
		panic(err) // the line above defines it
	}
}

// noOp is the value of an --op beside a subcommand: there is none that fits.
type noOp struct{ cmd *cobra.Command }

func (noOp) String() string { return "" }

// Set refuses every value.
func (n noOp) Set(s string) error {
	f := usagef("both the operation %q and -op %s are given", n.cmd.Name(), s)
	f.try = "give either the subcommand or -op: hyperctl workflow " + n.cmd.Name()
	return f
}

// Type is the word for the value in help, where the flag is not shown.
func (noOp) Type() string { return "operation" }

// openSpool opens the workflow directory that the options name.
func (c *console) openSpool() (*queue.Spool, error) {
	dir, err := findWorkflowDir(c.opts.workflowDir, c.opts.daemonConfig, defaultWorkflowDirs)
	if err != nil {
		return nil, err
	}
	sp, err := queue.Open(dir)
	if err != nil {
		return nil, c.layoutFailure(dir, err)
	}
	return sp, nil
}

// joinLine says how to get at a workflow directory: by its group, which is hyper2kvm unless somebody chose another.
func joinLine(dir string) string {
	group := "hyper2kvm"
	var st unix.Stat_t
	if unix.Stat(dir, &st) == nil {
		if g, err := user.LookupGroupId(strconv.FormatUint(uint64(st.Gid), 10)); err == nil {
			group = clean(g.Name)
		}
	}
	if group == "root" {
		return "use sudo: the directory belongs to root alone"
	}
	return "join the group " + group + " (newgrp " + group + "), or use sudo"
}

// layoutFailure says why a directory cannot be used as a workflow directory, and who named it.
func (c *console) layoutFailure(dir string, err error) error {
	f := &failure{exit: exitError, code: manifest.CodeQueueLayout, what: "cannot use the workflow directory " + dir, why: err.Error(), err: err}
	switch {
	case errors.Is(err, fs.ErrPermission):
		f.exit, f.code = exitDenied, ""
		f.why, f.try = "this user has no access to it", joinLine(dir)
	case !errors.Is(err, fs.ErrNotExist):
	case isDir(filepath.Join(dir, queue.DirOwn)):
		f.exit, f.what = exitDaemon, "the workflow directory "+dir+" is not whole"
		f.why, f.try = "a daemon ran on it, and then somebody took away "+missingParts(dir), "put it back, or restart the daemon, which makes what is missing: sudo systemctl restart hyper2kvm-workflow"
	case isDir(dir):
		f.exit, f.code, f.what = exitDaemon, "", "the daemon never ran on "+dir
		f.why = "it is no workflow directory yet: the daemon makes what is missing in it when it starts"
		f.try = startLine(dir, "")
	default:
		f.exit, f.code, f.what = exitNotFound, "", "there is no directory "+dir
		f.why, f.try = c.opts.dirOrigin+" names it", "hyperctl --workflow-dir DIR ..."
		if c.opts.dirOrigin == "" { // nobody named it here, so that it is the daemon's
			f.why, f.try = c.opts.daemonConfig+" names it, and the daemon makes it when it starts", startLine(dir, "")
		}
	}
	return f
}

// missingParts names the directories that a workflow directory does not have.
func missingParts(dir string) string {
	var gone []string
	for _, name := range []string{queue.DirQueued, queue.DirRunning, queue.DirDone, queue.DirFailed} {
		if !isDir(filepath.Join(dir, name)) {
			gone = append(gone, name+"/")
		}
	}
	return strings.Join(gone, ", ")
}
