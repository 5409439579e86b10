package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/strictyaml"
)

func newManifestExplain(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [KEY]",
		Short: "Explain a key of a manifest and those below it; without one, list the keys at the top",
		Example: `  hyperctl manifest explain pipeline.fix.network
  hyperctl manifest explain output_format`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return manifestPaths(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return runManifestExplain(con, strings.Join(args, "")) },
	}
}

// manifestPaths are the paths of all keys.
func manifestPaths() []string {
	var paths []string
	for _, f := range manifest.Fields() {
		paths = append(paths, f.Path)
	}
	return paths
}

func runManifestExplain(con *console, path string) error {
	fields := manifest.LookupFields(path)
	if len(fields) == 0 {
		try := "hyperctl manifest explain"
		if near := strictyaml.Nearest(path, manifestPaths()); near != "" {
			try += " " + quoteArg(near)
		}
		return &failure{exit: exitNotFound, what: fmt.Sprintf("no dialect has a key %q", path), try: try}
	}
	plain := func(f func(manifest.Field) string) func(manifest.Field) (string, string) {
		return func(m manifest.Field) (string, string) { return cleanLine(f(m)), "" }
	}
	return printAll(con, view[manifest.Field]{
		name: func(f manifest.Field) string { return f.Path },
		doc:  func(f manifest.Field) any { return f },
		columns: []column[manifest.Field]{
			{title: "KEY", cell: plain(func(f manifest.Field) string { return f.Path })},
			{title: "IN", cell: plain(func(f manifest.Field) string { return string(f.Dialect) })},
			{title: "TYPE", cell: plain(func(f manifest.Field) string {
				s := f.Type
				if len(f.Values) > 0 {
					s = strings.Join(f.Values, "|")
				}
				if f.Range != "" {
					s += " " + f.Range
				}
				if f.Required {
					s += ", required"
				}
				return s
			})},
			{title: "DEFAULT", cell: plain(func(f manifest.Field) string { return f.Default })},
			{title: "MEANING", cell: plain(func(f manifest.Field) string { return f.Text })},
		},
	}, all(fields))
}
