package main

import (
	"cmp"
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/jobs"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui"
	"hyper2kvm/tui/look"
)

// screenOptions say how watching looks full screen.
type screenOptions struct {
	noTUI    bool
	readOnly bool
	theme    string
}

const screenHelp = `On a terminal: a full-screen view of all jobs, with details, logs, errors, and keys to filter, retry and cancel; ? shows them all.
It needs 20 by 6 characters and is made for 60 by 15 and more. Elsewhere (a pipe, TERM=dumb, CI or ACCESSIBLE is set, another
output than a table, or --no-tui), and with --until-idle or --timeout, it prints lines:

`

func addScreenFlags(cmd *cobra.Command, o *screenOptions) {
	f := cmd.Flags()
	f.BoolVar(&o.noTUI, "no-tui", false, "print lines, on a terminal too")
	f.BoolVar(&o.readOnly, "read-only", false, "full screen: nothing can be changed from there")
	f.StringVar(&o.theme, "theme", "", "full screen: `theme`, one of "+strings.Join(look.Themes, ", ")+" (default auto, or HYPERCTL_THEME)")
	complete(cmd, "theme", look.Themes)
}

// fullScreen tells whether there is somebody at a terminal who wants to see a screen.
func (c *console) fullScreen(o watchOptions) bool {
	in, ok := c.in.(*os.File)
	if !ok || !c.outTTY || !isTTY(in) {
		return false
	}
	switch {
	case o.screen.noTUI, o.untilIdle, o.failOnFailed, o.timeout > 0, !c.opts.output.people():
		return false
	case c.getenv("TERM") == "", c.getenv("TERM") == "dumb":
		return false
	}
	return !c.accessible() && !isOn(c.getenv("CI"))
}

// watchScreen shows the workflow directory full screen.
func watchScreen(ctx context.Context, con *console, sp *queue.Spool, o screenOptions) error {
	theme := cmp.Or(o.theme, con.opts.theme)
	switch {
	case theme == "":
		theme = look.Themes[0]
	case !isTheme(theme):
		return usagef("--theme %q: one of %s", theme, strings.Join(look.Themes, ", "))
	}
	return tui.Run(ctx, tui.Options{
		Source: jobs.NewDir(sp, con.getenv("USER")), In: con.in, Out: con.out.(*os.File), Now: con.now,
		Theme: theme, NoColor: !con.style.color, UTF8: con.style.utf8, ReadOnly: o.readOnly, Tmux: con.getenv("TMUX") != "",
		Create: func(ctx context.Context, entry string) (string, error) {
			return createFromWatch(ctx, con, theme, entry)
		},
		User:   userText,
		Bundle: func(ctx context.Context, about []jobs.Ref) (string, error) { return bundleFromWatch(ctx, con, about) },
	})
}

func isTheme(name string) bool {
	_, ok := look.Palettes[name]
	return ok || name == "mono"
}
