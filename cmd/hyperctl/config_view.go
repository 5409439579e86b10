package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hyper2kvm/internal/config"
	"hyper2kvm/tui/look"
)

func newConfig(con *console) *cobra.Command {
	return newGroup("config", "Show the settings of hyperctl and of the daemon", prints(newConfigView(con), settingDoc{}))
}

func newConfigView(con *console) *cobra.Command {
	var origin bool
	cmd := &cobra.Command{
		Use:   "view",
		Short: "Show every setting, and with --origin where its value comes from",
		Long: `Show every setting of hyperctl and of the daemon, and with --origin where its value comes from: a flag, a variable of the
environment, a line of a file, or the default.

What the daemon was told by its own flags and environment (HYPER2KVMD_...) stands in its log; here is what its file says.`,
		Example: `  hyperctl config view --origin
  hyperctl config view --origin -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runConfigView(con, cmd.Flags(), origin) },
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value comes from")
	return cmd
}

// settingDoc is a setting in JSON and YAML.
type settingDoc struct {
	Program string `json:"program"` // hyperctl or hyper2kvmd
	Key     string `json:"key"`
	Value   string `json:"value"`
	Origin  string `json:"origin"` // a flag, a variable, FILE:LINE, or default
}

func runConfigView(con *console, flags *pflag.FlagSet, origin bool) error {
	settings := con.ownSettings(flags)
	daemon, err := con.daemonSettings()
	if err != nil {
		return err
	}
	settings = append(settings, daemon...)
	v := view[settingDoc]{
		name: func(s settingDoc) string { return s.Program + "." + s.Key },
		doc:  func(s settingDoc) any { return s },
		columns: []column[settingDoc]{
			{title: "PROGRAM", cell: func(s settingDoc) (string, string) { return s.Program, "" }},
			{title: "KEY", cell: func(s settingDoc) (string, string) { return s.Key, bold }},
			{title: "VALUE", cell: func(s settingDoc) (string, string) { return clean(s.Value), "" }},
			{title: "ORIGIN", wide: !origin, cell: func(s settingDoc) (string, string) { return clean(s.Origin), "" }},
		},
	}
	return printAll(con, v, all(settings))
}

// ownSettings are the settings of this program.
func (c *console) ownSettings(flags *pflag.FlagSet) []settingDoc {
	var settings []settingDoc
	for _, name := range settingNames {
		s := settingDoc{Program: "hyperctl", Key: strings.ReplaceAll(name, "-", "_"), Origin: "default"}
		if f := flags.Lookup(name); f != nil {
			s.Value = strings.Trim(f.Value.String(), "[]") // of a list
		}
		if name == "theme" {
			s.Value = cmp.Or(c.opts.theme, look.Themes[0])
		}
		if o := c.opts.origins[name]; o != "" {
			s.Origin = o
		}
		if dir, err := findWorkflowDir("", c.opts.daemonConfig, defaultWorkflowDirs); name == "workflow-dir" && s.Value == "" && err == nil {
			s.Value = dir
			if _, there, err := readDaemonConfig(c.opts.daemonConfig); err == nil && there {
				s.Origin = c.opts.daemonConfig
			}
		}
		settings = append(settings, s)
	}
	return settings
}

// daemonSettings are the settings of the daemon, as its configuration has them.
func (c *console) daemonSettings() ([]settingDoc, error) {
	path := c.opts.daemonConfig
	_, there, err := readDaemonConfig(path)
	if err != nil {
		return nil, err
	}
	var b []byte
	if there {
		if b, err = os.ReadFile(path); err != nil {
			return nil, configFailure(path, err)
		}
	}
	settings, err := config.Settings(path, b)
	if err != nil {
		return nil, configFailure(path, err)
	}
	docs := make([]settingDoc, 0, len(settings))
	for _, s := range settings {
		d := settingDoc{Program: "hyper2kvmd", Key: s.Key, Value: s.Value, Origin: "default"}
		if s.Line > 0 {
			d.Origin = fmt.Sprintf("%s:%d", path, s.Line)
		}
		docs = append(docs, d)
	}
	return docs, nil
}

// lineOf is the line on which a key of hyperctl's own configuration stands, which is flat; 0 when it is not found.
func lineOf(path, key string) int {
	f, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigBytes))
	if err != nil {
		return 0
	}
	lines := strings.Split(string(b), "\n")
	return 1 + slices.IndexFunc(lines, func(l string) bool {
		k, _, ok := strings.Cut(l, ":")
		return ok && strings.EqualFold(strings.Trim(strings.TrimSpace(k), `"'`), key)
	})
}
