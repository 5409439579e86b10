package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/manpage"
	"hyper2kvm/internal/version"
)

// newMan writes the manual pages, for packages.
func newMan(con *console) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages below a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages := append(commandPages(cmd.Root()), manifestPage())
			if err := manpage.Write(args[0], pages); err != nil {
				return &failure{exit: exitError, what: "cannot write the manual pages", why: err.Error(), err: err}
			}
			con.note("%d pages written", len(pages))
			return nil
		},
	}
}

// commandPages is a page for each command, that of hyperctl itself first.
func commandPages(c *cobra.Command) []manpage.Page {
	pages := []manpage.Page{commandPage(c)}
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "help" && sub.Name() != "completion" {
			pages = append(pages, commandPages(sub)...)
		}
	}
	return pages
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

func commandPage(c *cobra.Command) manpage.Page {
	p := manpage.Page{Name: pageName(c), Number: 1, Short: lowerFirst(c.Short), Version: version.Get().Version}
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	use := c.UseLine()
	if c.HasParent() && c.HasSubCommands() && !c.HasLocalFlags() {
		use = c.CommandPath() + " COMMAND"
	}
	p.Sections = append(p.Sections, manpage.Section{Title: "Synopsis", Text: "  " + use}, manpage.Section{Title: "Description", Text: long})
	if len(c.Aliases) > 0 {
		p.Sections = append(p.Sections, manpage.Section{Title: "Other names", Text: strings.Join(c.Aliases, ", ")})
	}
	var subs []manpage.Item
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "help" && sub.Name() != "completion" {
			subs = append(subs, manpage.Item{Term: pageName(sub) + "(1)", Text: sub.Short + "."})
			p.See = append(p.See, pageName(sub)+"(1)")
		}
	}
	p.Sections = append(p.Sections,
		manpage.Section{Title: "Commands", Items: subs},
		manpage.Section{Title: "Options", Items: flagItems(c.LocalFlags())},
		manpage.Section{Title: "Options of every command", Items: flagItems(c.InheritedFlags())},
		manpage.Section{Title: "Fields of --json", Text: strings.Join(documentedFields(c), ", ")},
		manpage.Section{Title: "Examples", Text: c.Example},
	)
	if c.HasParent() {
		p.See = append([]string{pageName(c.Parent()) + "(1)"}, p.See...)
	}
	p.See = append(p.See, "hyper2kvmd(8)", "hyper2kvm-manifest(5)")
	return p
}

// flagItems are flags as a list of terms.
func flagItems(flags *pflag.FlagSet) []manpage.Item {
	var items []manpage.Item
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		value, usage := pflag.UnquoteUsage(f)
		if value != "" {
			term += " " + value
		}
		if d := f.DefValue; d != "" && d != "false" && d != "0" && d != "0s" && d != "[]" {
			usage += " (default " + d + ")"
		}
		items = append(items, manpage.Item{Term: term, Text: usage})
	})
	return items
}

// manifestPage is the page on manifests, from the tables that check them.
func manifestPage() manpage.Page {
	p := manpage.Page{
		Name: "hyper2kvm-manifest", Number: 5, Short: "what a manifest of hyper2kvm may say", Version: version.Get().Version,
		Sections: []manpage.Section{{Title: "Description", Text: `A manifest tells what to convert and how. It is dropped into to_be_processed/ beside the disks that it names, or handed in with
hyperctl manifest submit FILE. It is YAML, or JSON where its name ends in .json, and has one of three forms, told apart by
the keys at its top.

In the names of keys a full stop leads into a mapping, and [] stands for each item of a list. hyperctl manifest explain KEY tells the
same of one key, and hyperctl manifest validate FILE what is wrong with a file.`}},
		See: []string{"hyperctl-manifest-validate(1)", "hyperctl-manifest-submit(1)", "hyperctl-manifest-explain(1)", "hyper2kvm-workflow-daemon(5)"},
	}
	titles := map[manifest.Dialect]string{
		manifest.DialectJobConfig: "Job config: begins with input or jobs",
		manifest.DialectPipeline:  "Pipeline manifest: begins with version",
		manifest.DialectArtifact:  "Artifact manifest: begins with manifest_version",
	}
	for _, f := range manifest.Fields() {
		if last := p.Sections[len(p.Sections)-1].Title; last != titles[f.Dialect] {
			p.Sections = append(p.Sections, manpage.Section{Title: titles[f.Dialect]})
		}
		s := &p.Sections[len(p.Sections)-1]
		s.Items = append(s.Items, manpage.Item{Term: f.Path, Text: fieldText(f)})
	}
	return p
}

// fieldText is what there is to say about a key.
func fieldText(f manifest.Field) string {
	text := f.Type
	if len(f.Values) > 0 {
		text = "one of " + strings.Join(f.Values, ", ")
	}
	if f.Range != "" {
		text += ", " + f.Range
	}
	if f.Required {
		text += "; must be there"
	}
	if f.Default != "" {
		text += "; default " + f.Default
	}
	return strings.ToUpper(text[:1]) + text[1:] + ".\n" + f.Text
}

// lowerFirst makes a title part of a sentence, unless it begins with a name.
func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}
