package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// takeEnvironment makes every flag of every command a variable of the environment too: HYPERCTL, the words of the command behind
// hyperctl, and the flag, so that --timeout of hyperctl workflow wait is HYPERCTL_WORKFLOW_WAIT_TIMEOUT. Flags of all commands, which
// may stand in the configuration file too, are read by readSettings.
func (c *console) takeEnvironment(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		c.takeEnvironment(sub)
	}
	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error { // the last thing that cobra asks before it looks at the arguments
		if err := c.readEnvironment(cmd); err != nil {
			return err
		}
		if check == nil {
			return nil
		}
		return check(cmd, args)
	}
}

// readEnvironment gives the flags of a command that were not given the values of their variables.
func (c *console) readEnvironment(cmd *cobra.Command) (err error) {
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if err != nil || f.Changed || f.Hidden || f.Name == "help" || f.Name == "version" {
			return
		}
		name := flagVariable(cmd, f.Name)
		value := c.getenv(name)
		if value == "" {
			return
		}
		if serr := cmd.Flags().Set(f.Name, value); serr != nil {
			bad := usagef("%s %q: %s", name, value, serr)
			bad.err = serr
			err = bad
		}
	})
	return err
}

// flagVariable is the variable of a command's own flag.
func flagVariable(cmd *cobra.Command, flag string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(cmd.CommandPath() + "_" + flag))
}
