package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func TestWorkflowDirIsFound(t *testing.T) {
	base := t.TempDir()
	disk, manifests := filepath.Join(base, "workflow"), filepath.Join(base, "manifest-workflow")
	defaults := []string{disk, manifests}
	none := filepath.Join(base, "none.yaml")

	_, err := findWorkflowDir("", none, defaults)
	if f := explainError(err); f.exit != exitDaemon {
		t.Errorf("nothing exists: exit code %d (%v), want %d", f.exit, err, exitDaemon)
	}
	if err := os.Mkdir(manifests, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := findWorkflowDir("", none, defaults); got != manifests || err != nil {
		t.Errorf("one exists: %q, %v", got, err)
	}
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = findWorkflowDir("", none, defaults)
	if f := explainError(err); f.exit != exitUsage || !strings.Contains(f.what, disk) || !strings.Contains(f.what, manifests) {
		t.Errorf("both exist: exit code %d (%v), want %d and both names", f.exit, err, exitUsage)
	}
	if got, err := findWorkflowDir("/w", none, defaults); got != "/w" || err != nil {
		t.Errorf("said: %q, %v", got, err)
	}
	if got, err := findWorkflowDir("w", none, defaults); !filepath.IsAbs(got) || err != nil {
		t.Errorf("relative: %q, %v", got, err)
	}
}

// settled runs an empty command with this environment and these flags, and returns the console.
func settled(t *testing.T, env map[string]string, args ...string) (*console, error) {
	t.Helper()
	con := newConsole(strings.NewReader(""), io.Discard, io.Discard, func(k string) string { return env[k] }, nil)
	root := newRoot(con, func() {})
	walk(root, func(c *cobra.Command) {
		if c.RunE != nil {
			c.RunE = func(*cobra.Command, []string) error { return nil }
		}
	})
	root.SetArgs(Normalize(root, append(args, "version")))
	return con, root.Execute()
}

func TestSettingsPrecedence(t *testing.T) {
	home := t.TempDir()
	write := func(text string) {
		dir := filepath.Join(home, ".config", "hyperctl")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"HOME": home}
	con, err := settled(t, env)
	if err != nil || con.opts.output != outTable || con.opts.workflowDir != "" {
		t.Fatalf("nothing said: %+v, %v", con.opts, err)
	}
	write("workflow_dir: /from/file\noutput: yaml\n")
	con, err = settled(t, env)
	if err != nil || con.opts.output != outYAML || con.opts.workflowDir != "/from/file" {
		t.Errorf("file: %+v, %v", con.opts, err)
	}
	env["HYPERCTL_WORKFLOW_DIR"], env["HYPERCTL_OUTPUT"] = "/from/env", "jsonl"
	con, err = settled(t, env)
	if err != nil || con.opts.output != outJSONL || con.opts.workflowDir != "/from/env" {
		t.Errorf("environment: %+v, %v", con.opts, err)
	}
	con, err = settled(t, env, "-workflow-dir", "/from/flag", "-o", "wide")
	if err != nil || con.opts.output != outWide || con.opts.workflowDir != "/from/flag" {
		t.Errorf("flag: %+v, %v", con.opts, err)
	}
	env["HYPERCTL_OUTPUT"] = "p"
	_, err = settled(t, env)
	if f := explainError(err); err == nil || f.exit != exitUsage || !strings.Contains(f.what, "HYPERCTL_OUTPUT") {
		t.Errorf("a wrong value in the environment: %v", err)
	}
	delete(env, "HYPERCTL_OUTPUT")
	write("outptu: yaml\n")
	if _, err = settled(t, env); err == nil || !strings.Contains(err.Error(), "outptu") {
		t.Errorf("an unknown setting: %v", err)
	}
}

// TestEveryCommonFlagIsASetting: each may stand in the environment and in the file, and no variable means two flags.
func TestEveryCommonFlagIsASetting(t *testing.T) {
	root := newRoot(testConsole(io.Discard, nil), func() {})
	seen := map[string]string{}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(settingNames, f.Name) {
			t.Errorf("--%s is no setting", f.Name)
		}
		seen["HYPERCTL_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))] = "all commands"
	})
	walk(root, func(c *cobra.Command) {
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			name := flagVariable(c, f.Name)
			if other, taken := seen[name]; taken {
				t.Errorf("%s is a flag of %s and of %s", name, other, c.CommandPath())
			}
			seen[name] = c.CommandPath()
		})
	})
}

func TestFailuresArePrinted(t *testing.T) {
	f := &failure{exit: 4, code: "H2K-SRC-001", what: "no \x1b[31mfile", why: "it\nis gone", try: "look again", err: errors.Join(errors.New("a"), errors.New("b"))}
	for _, tt := range []struct {
		name string
		env  map[string]string
		set  func(*globalOptions)
		want string
	}{
		{"ascii", nil, func(*globalOptions) {}, "x H2K-SRC-001 no \\x1b[31mfile\n  why: it is gone\n  try: look again\n"},
		{"utf8", map[string]string{"LANG": "en_US.UTF-8"}, func(*globalOptions) {}, "✖ H2K-SRC-001 no \\x1b[31mfile\n  why: it is gone\n  try: look again\n"},
		{"verbose", nil, func(o *globalOptions) { o.verbose = true }, "x H2K-SRC-001 no \\x1b[31mfile\n  why: it is gone\n  try: look again\n       a b\n       a\n       b\n"},
		{"json", nil, func(o *globalOptions) { o.output = outJSON },
			`{"error":{"exit":4,"code":"H2K-SRC-001","what":"no \u001b[31mfile","why":"it\nis gone","try":"look again","chain":["a\nb","a","b"]}}` + "\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var errs bytes.Buffer
			con := newConsole(nil, io.Discard, &errs, func(k string) string { return tt.env[k] }, nil)
			tt.set(&con.opts)
			con.printFailure(f)
			if errs.String() != tt.want {
				t.Errorf("got\n%s\nwant\n%s", errs.String(), tt.want)
			}
		})
	}
}
