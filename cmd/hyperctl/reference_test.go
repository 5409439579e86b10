package main

//go:generate go test . -run TestReference -update

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/reference/hyperctl.md and what docs/guide shows anew")

const referenceFile = "../../docs/reference/hyperctl.md"

// TestReference holds the reference of commands in docs to what the program says of itself.
func TestReference(t *testing.T) {
	got := reference(newRoot(newConsole(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }, time.Now), func() {}))
	if *update {
		if err := os.WriteFile(referenceFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what hyperctl --help says. Write it anew with: go generate ./cmd/hyperctl", referenceFile)
	}
}

// reference writes the whole tree of commands as Markdown.
func reference(root *cobra.Command) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# hyperctl: every command\n\n<!-- Written by go generate ./cmd/hyperctl from the commands themselves. -->\n\n")
	fmt.Fprintf(&b, "How to do things with them is in [usage.md](../usage.md).\n\n")
	for _, c := range leaves(root) {
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", c.CommandPath(), anchor(c), c.Short)
	}
	fmt.Fprintf(&b, "\n## hyperctl\n\n```text\n%s\n```\n", strings.TrimSpace(root.Long))
	writeFlags(&b, "Every command has these flags", root.PersistentFlags())
	for _, c := range leaves(root) {
		long := c.Long
		if long == "" {
			long = c.Short + "."
		}
		if isTopic(c) {
			fmt.Fprintf(&b, "\n## %s\n\n```text\n%s\n```\n", c.CommandPath(), long)
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n```sh\n%s\n```\n", c.CommandPath(), strings.TrimSpace(long), c.UseLine())
		if len(c.Aliases) > 0 {
			fmt.Fprintf(&b, "\nAlso: %s\n", strings.Join(c.Aliases, ", "))
		}
		writeFlags(&b, "Flags", c.LocalNonPersistentFlags())
		if fields := documentedFields(c); len(fields) > 0 {
			fmt.Fprintf(&b, "\nFields of `--json`: %s\n", strings.Join(fields, ", "))
		}
		if c.Example != "" {
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", unindent(c.Example))
		}
	}
	return b.Bytes()
}

// leaves are the commands that do something, in the order of their paths. Those of cobra itself are left out.
func leaves(c *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" {
			continue
		}
		if !sub.HasSubCommands() || sub.Name() == "workflow" {
			out = append(out, sub)
		}
		out = append(out, leaves(sub)...)
	}
	slices.SortStableFunc(out, func(a, b *cobra.Command) int { return strings.Compare(a.CommandPath(), b.CommandPath()) })
	return out
}

func anchor(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func writeFlags(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	var lines []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" {
			name += " " + value
		}
		if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "0s" && d != "[]" {
			usage += " (default " + d + ")"
		}
		lines = append(lines, fmt.Sprintf("- `%s`: %s\n", name, usage))
	})
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n%s:\n\n%s", title, strings.Join(lines, ""))
	}
}

func unindent(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}
