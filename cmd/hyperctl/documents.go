package main

import (
	"reflect"
	"strings"

	"github.com/spf13/cobra"
)

// fieldsNote is the annotation of a command that prints documents: the names of their fields.
const fieldsNote = "fields"

// prints notes which fields the documents of a command have: for --json without any, for the shell, and for the reference.
func prints(cmd *cobra.Command, doc any) *cobra.Command {
	cmd.Annotations = map[string]string{fieldsNote: strings.Join(fieldsOf(reflect.TypeOf(doc)), ",")}
	return cmd
}

// documentedFields are the fields of what a command prints; nil where it prints no documents.
func documentedFields(cmd *cobra.Command) []string {
	if cmd.Annotations[fieldsNote] == "" {
		return nil
	}
	return strings.Split(cmd.Annotations[fieldsNote], ",")
}

// needsField is what pflag says where --json stands alone.
const needsField = "flag needs an argument: --json"

// fieldsWanted turns --json without fields into the list of those that there are.
func fieldsWanted(cmd *cobra.Command, f *failure) {
	fields := documentedFields(cmd)
	if f.what != needsField || len(fields) == 0 {
		return
	}
	f.what, f.why = "--json needs the names of fields", "there are "+strings.Join(fields, ", ")
	f.try = cmd.CommandPath() + " --json " + strings.Join(fields[:min(2, len(fields))], ",")
}

// completeFields offers the fields of a command to the shell, behind those that stand there already.
func completeFields(cmd *cobra.Command, _ []string, to string) ([]string, cobra.ShellCompDirective) {
	before, _ := cutLast(to, ",")
	var offered []string
	for _, name := range documentedFields(cmd) {
		offered = append(offered, before+name)
	}
	return offered, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// cutLast splits s behind the last separator.
func cutLast(s, sep string) (before, after string) {
	at := strings.LastIndex(s, sep) + len(sep)
	if at < len(sep) {
		at = 0
	}
	return s[:at], s[at:]
}
