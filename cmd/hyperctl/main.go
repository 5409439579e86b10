// Command hyperctl is the client of the workflow directory: it submits disks and manifests, shows, follows and steers jobs,
// and converts and compares images without a queue. It never speaks to the daemon: both read and write one directory.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hyper2kvm/internal/strictyaml"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, newConsole(os.Stdin, os.Stdout, os.Stderr, os.Getenv, time.Now), os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line and returns the exit code. Nothing below it ends the program.
func run(ctx context.Context, con *console, args []string) int {
	started := false
	root := newRoot(con, func() { started = true })
	root.SetArgs(Normalize(root, args))
	root.SetIn(con.in)
	root.SetOut(con.out)
	root.SetErr(con.err)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil {
		err = afterInterrupt(err)
	}
	if !started || strings.HasPrefix(err.Error(), flagGroup) { // which cobra looks at late
		err = usageFailure(cmd, args, err)
	}
	f := explainError(err)
	if f.exit == exitUsage && f.try == "" && f.why == "" {
		f.try = cmd.CommandPath() + " --help"
	}
	con.printFailure(f)
	return f.exit
}

// afterInterrupt is what an error means after an interrupt. A command that knows what was done by then says so itself; anything else that went
// wrong, a program that was ended with this one for example, went wrong because of it.
func afterInterrupt(err error) error {
	var said *failure
	if f := explainError(err); f.exit != exitError && (f.exit != exitInterrupted || errors.As(err, &said)) {
		return err
	}
	return &failure{exit: exitInterrupted, what: "interrupted", err: err}
}

// flagGroup begins what cobra says about flags of which only one may be given.
const flagGroup = "if any flags in the group ["

// usageFailure is what cobra found wrong with the command line before a command began to run.
func usageFailure(cmd *cobra.Command, args []string, err error) error {
	var f *failure
	if errors.As(err, &f) {
		return err
	}
	f = &failure{exit: exitUsage, what: cleanLine(err.Error()), try: cmd.CommandPath() + " --help"}
	if group, ok := strings.CutPrefix(f.what, flagGroup); ok {
		names, _, _ := strings.Cut(group, "]")
		f.what = "give only one of --" + strings.Join(strings.Fields(names), " and --")
	}
	if strings.Contains(f.what, " arg(s), ") { // cobra's own words
		f.what, f.why = "too few or too many arguments", "the command is "+cmd.UseLine()
	}
	argumentWanted(cmd, f)
	fieldsWanted(cmd, f)
	if near := nearFlag(cmd, f.what); near != "" {
		f.try = near
	}
	if hint := misplaced(cmd.Root(), args); hint != "" {
		f.why, f.try = hint, ""
	}
	return f
}

// nearFlag says what was meant where cobra does not know a flag; "" when nothing is near.
func nearFlag(cmd *cobra.Command, what string) string {
	_, name, ok := strings.Cut(what, "unknown flag: --")
	if !ok {
		return ""
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := strictyaml.Nearest(name, names); near != "" {
		return "did you mean --" + near + "? " + cmd.CommandPath() + " --help lists all"
	}
	return ""
}
