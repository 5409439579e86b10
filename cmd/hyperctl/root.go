package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/internal/doctor"
)

const rootLong = `hyperctl turns VMware and Hyper-V disks into VMs that boot on KVM: it hands them to the daemon hyper2kvmd through the
workflow directory, shows and follows what becomes of them, and converts single images without a queue.

Flags may be written with one dash or two: -op status, -file vm.yaml and --op status, --file vm.yaml are the same.

For programs -o json, tsv and others have documented fields (hyperctl help formatting). Every flag is also a variable of the environment
(hyperctl help environment).

`

const rootExample = `  hyperctl workflow status                        does the daemon run, and what does it do
  hyperctl manifest submit web01.vmdk --wait      convert a disk and wait for it
  hyperctl manifest validate -file web01.yaml     is the manifest right
  hyperctl workflow -op list -o json              all jobs, for a program
  hyperctl image info web01.vmdk                  what is this file
  hyperctl inspect web01.vmdk                     what is the guest in it
  hyperctl plan web01.vmdk                        what would be changed in it
  hyperctl explain H2K-SRC-004                    what does this error mean`

func newRoot(con *console, started func()) *cobra.Command {
	var askVersion bool
	cmd := &cobra.Command{
		Use:           "hyperctl",
		Short:         "Convert VMware and Hyper-V disks into VMs that boot on KVM",
		Long:          rootLong + exitHelp(),
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if askVersion {
				return runVersion(con)
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := con.readSettings(cmd.Flags()); err != nil {
				return err
			}
			started()
			return nil
		},
	}
	o := &con.opts
	f := cmd.PersistentFlags()
	f.SortFlags, cmd.Flags().SortFlags = false, false
	f.VarP(outputFlag{enum{(*string)(&o.output), outputModes}, &o.template}, "output", "o", "form of the output")
	f.Var(templateFlag{outputFlag{enum{(*string)(&o.output), outputModes}, &o.template}}, "template", "the same as -o template=`text`, a template of Go over the fields")
	f.StringSliceVar(&o.fields, "json", nil, "print JSON with only these `fields`, separated by commas; alone it lists them")
	f.BoolVar(&o.noHeaders, "no-headers", false, "tables and tsv without their first line")
	f.Var(enum{(*string)(&o.color), colorModes}, "color", "colours")
	f.Var(enum{(*string)(&o.progress), progressModes}, "progress", "how far something is: plain is in lines only, title in the terminal's title too")
	f.BoolVar(&o.accessible, "accessible", false, "for a screen reader: nothing is rewritten, and a line every 30 seconds")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "print results and errors only")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "print the causes of an error too")
	f.StringVarP(&o.workflowDir, "workflow-dir", "d", "", "the workflow `directory`")
	f.StringVar(&o.daemonConfig, "daemon-config", defaultDaemonConfig, "the daemon's configuration `file`, asked for the workflow directory")
	cmd.Flags().BoolVar(&askVersion, "version", false, "the same as hyperctl version")
	complete(cmd, "output", append(outputModes, templatePrefix))
	complete(cmd, "color", colorModes)
	complete(cmd, "progress", progressModes)
	if err := cmd.RegisterFlagCompletionFunc("json", completeFields); err != nil {
		panic(err) // the flag is not there: a mistake in this program
	}
	cmd.AddCommand(
		newWorkflow(con),
		newManifest(con),
		newImage(con),
		prints(newInspect(con), inspectDoc{}),
		prints(newPlan(con), planDoc{}),
		prints(newDoctor(con), doctor.Finding{}),
		newServe(con),
		prints(newPing(con), pingDoc{}),
		prints(newExplain(con), codeDoc{}),
		newConfig(con),
		prints(newBundle(con), bundleDoc{}),
		prints(newVersion(con), versionDoc{}),
		newMan(con),
	)
	con.takeEnvironment(cmd)
	cmd.AddCommand(newTopics()...)
	cmd.InitDefaultHelpCmd()
	if c, _, err := cmd.Find([]string{"help"}); err == nil { // cobra's own takes any word, and helps with what stands before it
		c.RunE = func(help *cobra.Command, args []string) error {
			if on, rest, err := cmd.Find(args); err == nil && on.HasAvailableSubCommands() {
				if err := unknownCommand(on, rest); err != nil {
					return err
				}
			}
			help.Run(help, args)
			return nil
		}
	}
	cmd.InitDefaultCompletionCmd()
	if c, _, err := cmd.Find([]string{"completion"}); err == nil { // cobra's own takes any word for a shell, prints its help and ends with 0
		c.Args, c.RunE = unknownCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	return cmd
}

// complete makes the shell offer the words of an enum.
func complete(cmd *cobra.Command, flag string, words []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return words, cobra.ShellCompDirectiveNoFileComp
	})
	if err != nil {
		panic(err) // the flag is not there: a mistake in this program
	}
}

// newGroup is a command that only holds others: alone it prints its help.
func newGroup(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(subs...)
	return cmd
}

// unknownCommand refuses the words that a group of commands does not know.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	f := usagef("unknown command %q for %q", args[0], cmd.CommandPath())
	if cmd.SuggestionsMinimumDistance == 0 {
		cmd.SuggestionsMinimumDistance = 2
	}
	switch near, elsewhere := cmd.SuggestionsFor(args[0]), sameName(cmd.Root(), args[0]); {
	case elsewhere != nil:
		f.try = elsewhere.CommandPath()
	case len(near) > 0:
		f.try = cmd.CommandPath() + " " + near[0]
	default:
		f.try = cmd.CommandPath() + " --help"
	}
	return f
}

// sameName finds the command of a group that is called so: somebody who types hyperctl status means hyperctl workflow status.
func sameName(root *cobra.Command, name string) *cobra.Command {
	for _, group := range root.Commands() {
		for _, cmd := range group.Commands() {
			if cmd.Name() == name && cmd.IsAvailableCommand() {
				return cmd
			}
		}
	}
	return nil
}
