package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"

	"hyper2kvm/internal/config"
	"hyper2kvm/internal/manpage"
	"hyper2kvm/internal/version"
)

// ship does what packages need of the program, and says whether args ask for it: `man DIR` writes the manual pages, `completion
// SHELL` prints what the shell needs.
func ship(args []string, out io.Writer) (asked bool, err error) {
	if len(args) != 2 {
		return false, nil
	}
	switch args[0] {
	case "man":
		return true, manpage.Write(args[1], []manpage.Page{daemonPage(), configPage()})
	case "completion":
		cmd := newCommand()
		switch args[1] {
		case "bash":
			return true, cmd.GenBashCompletionV2(out, true)
		case "zsh":
			return true, cmd.GenZshCompletion(out)
		case "fish":
			return true, cmd.GenFishCompletion(out, true)
		}
		return true, &exitCode{exitUsage, fmt.Errorf("completion: want bash, zsh or fish, got %q", args[1])}
	}
	return false, nil
}

func daemonPage() manpage.Page {
	cmd := newCommand()
	var flags []manpage.Item
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		value, usage := pflag.UnquoteUsage(f)
		flags = append(flags, manpage.Item{Term: strings.TrimSpace("--" + f.Name + " " + value), Text: usage})
	})
	return manpage.Page{
		Name: "hyper2kvmd", Number: 8, Short: strings.ToLower(cmd.Short[:1]) + cmd.Short[1:], Version: version.Get().Version,
		Sections: []manpage.Section{
			{Title: "Synopsis", Text: "  " + cmd.Use},
			{Title: "Description", Text: cmd.Long},
			{Title: "Options", Items: flags},
			{Title: "Examples", Text: cmd.Example},
			{Title: "Signals", Items: []manpage.Item{
				{Term: "SIGHUP", Text: "Reads the configuration and opens the log file again. What is not valid leaves the old configuration in force."},
				{Term: "SIGTERM, SIGINT", Text: "Claims nothing more, waits stop_timeout for the running jobs, and returns the rest to the queue. The second one does not wait."},
			}},
			{Title: "Service", Text: `hyper2kvm-workflow.service runs it as the user hyper2kvm. It tells systemd when it is ready, reloads, stops, and what it does
(systemctl status); its scheduler feeds the watchdog. In the journal each message about a job has the fields JOB_ID, JOB_ENTRY, STAGE and
H2K_CODE, as far as they apply:

  journalctl -u hyper2kvm-workflow JOB_ID=ID`},
			{Title: "Files", Items: []manpage.Item{
				{Term: defaultConfig, Text: "The configuration, see hyper2kvm-workflow-daemon(5)."},
				{Term: config.DefaultWorkflowDir, Text: "The workflow directory: to_be_processed/ takes what is dropped."},
				{Term: config.DefaultOutputDir, Text: "Results, by date and name of the VM."},
			}},
		},
		See: []string{"hyperctl(1)", "hyper2kvm-workflow-daemon(5)", "hyper2kvm-manifest(5)"},
	}
}

// configPage is the page on the configuration, from the table that checks it.
func configPage() manpage.Page {
	var keys []manpage.Item
	for _, f := range config.Fields() {
		text := f.Type
		if len(f.Values) > 0 {
			text = "one of " + strings.Join(f.Values, ", ")
		}
		if f.Default != "" {
			text += "; default " + f.Default
		}
		keys = append(keys, manpage.Item{Term: f.Path, Text: strings.ToUpper(text[:1]) + text[1:] + ".\n" + f.Text})
	}
	return manpage.Page{
		Name: "hyper2kvm-workflow-daemon", Number: 5, Short: "configuration of hyper2kvmd", Version: version.Get().Version,
		Sections: []manpage.Section{
			{Title: "Description", Text: defaultConfig + ` holds the settings of hyper2kvmd(8) in YAML. Every key may be left out. Unknown keys and wrong values stop the
start and are told with line and column:

  hyper2kvmd --check-config --config FILE

After a change, systemctl reload hyper2kvm-workflow; what only a restart can change is said in the journal.`},
			{Title: "Keys", Items: keys},
		},
		See: []string{"hyper2kvmd(8)", "hyperctl(1)"},
	}
}
