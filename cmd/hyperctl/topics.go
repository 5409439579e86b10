package main

import (
	"strings"

	"github.com/spf13/cobra"
)

const environmentTopic = `Every flag is also a variable of the environment, and what all commands have may stand in a file too. A flag wins over the environment,
the environment over the file, the file over the default; hyperctl config view --origin shows where each value comes from.

The variable of a flag that all commands have is HYPERCTL_ and its name: HYPERCTL_WORKFLOW_DIR, HYPERCTL_OUTPUT, HYPERCTL_PROGRESS. That of
a command's own flag has the words of the command before it: HYPERCTL_WORKFLOW_WAIT_TIMEOUT is --timeout of hyperctl workflow wait.

The file is $XDG_CONFIG_HOME/hyperctl/config.yaml, else ~/.config/hyperctl/config.yaml, with a line for each setting, as output: json or
theme: light. Without a workflow directory there, the daemon's own configuration names it (--daemon-config), else it is
/var/lib/hyper2kvm/workflow.

What others have settled holds here too:

  NO_COLOR, CLICOLOR, CLICOLOR_FORCE   colours; --color wins
  TERM=dumb                            ASCII, no colours, nothing is rewritten
  CI                                   nobody is asked, nothing is full screen
  ACCESSIBLE=1                         the same as --accessible: nothing is rewritten, questions come in lines, and every 30
                                       seconds a line says that it goes on`

const formattingTopic = `-o says in which form results are printed. Each command's page lists the fields of its documents, and --json alone prints them.

  table, wide      for people; wide has more columns
  json             a document, or a list of them; an error is one JSON object on standard error then
  yaml             the same in YAML
  jsonl            a document on each line: for what goes on, as watch, wait and submit --wait, one for each event
  tsv              a line with the names of the columns, then a line for each result, with tabs between the values
  name             what names a result in other commands
  template=TEXT    a template of Go over the fields; --template TEXT is the same

Fields are added, and never taken away or given another meaning. --json a,b prints only these. The columns of tsv are the fields that hold
one value, or those that --json names, in its order; an empty value is one that is not known. Inside a value a tab is written as \t, a line
break as \n or \r, a backslash as \\, and another character that a terminal would obey as \x1b or \u202e. --no-headers leaves the first line out.

  hyperctl workflow list -o tsv --json name,state,percent --no-headers | while IFS=$'\t' read -r name state percent; do ...; done
  hyperctl workflow list -o template='{{.name}} {{.state}}'
  hyperctl workflow watch -o jsonl | jq -r 'select(.job.state=="failed").job.name'

Numbers are plain: bytes, seconds, percent. Times are RFC 3339.`

// newTopics are texts that help finds beside the commands: hyperctl help formatting.
func newTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "environment", Short: "Variables of the environment and the configuration file", Long: environmentTopic},
		{Use: "formatting", Short: "Output for programs: json, yaml, jsonl, tsv, name, templates", Long: formattingTopic},
	}
}

// isTopic tells whether a command is only a text.
func isTopic(c *cobra.Command) bool { return !c.Runnable() && !c.HasSubCommands() }

// argumentWanted adds to the error of a flag without its value which values there are.
func argumentWanted(cmd *cobra.Command, f *failure) {
	rest, ok := strings.CutPrefix(f.what, "flag needs an argument: ")
	if !ok {
		return
	}
	flag := cmd.Flags().Lookup(strings.TrimPrefix(rest, "--"))
	if len(rest) > 2 && rest[0] == '\'' {
		flag = cmd.Flags().ShorthandLookup(rest[1:2])
	}
	if flag != nil && strings.Contains(flag.Value.Type(), "|") {
		f.why = "--" + flag.Name + " is one of " + strings.ReplaceAll(flag.Value.Type(), "|", ", ")
	}
}
