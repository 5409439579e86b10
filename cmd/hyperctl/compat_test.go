package main

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"pgregory.net/rapid"
)

// call is what a command line came to: which command ran, with which flags and arguments.
type call struct {
	path  string
	flags map[string]string // those that were given
	args  []string
}

// dryRun runs a command line with every command replaced by one that only notes what it was given.
func dryRun(t interface{ Helper() }, args ...string) (*call, *failure, string) {
	t.Helper()
	var out, errs bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &errs, func(string) string { return "" }, time.Now)
	var got *call
	root := newRoot(con, func() {})
	root.PersistentPreRunE = nil
	walk(root, func(c *cobra.Command) {
		c.PersistentPreRunE = nil
		c.RunE = func(c *cobra.Command, args []string) error {
			got = &call{path: c.CommandPath(), flags: map[string]string{}, args: args}
			c.Flags().Visit(func(f *pflag.Flag) { got.flags[f.Name] = f.Value.String() })
			return nil
		}
	})
	root.SetArgs(Normalize(root, args))
	root.SetOut(&out)
	root.SetErr(&errs)
	cmd, err := root.ExecuteC()
	if err == nil {
		return got, nil, out.String()
	}
	return nil, explainError(usageFailure(cmd, args, err)), out.String()
}

func walk(c *cobra.Command, f func(*cobra.Command)) {
	f(c)
	for _, sub := range c.Commands() {
		walk(sub, f)
	}
}

func TestSpellings(t *testing.T) {
	type flags = map[string]string
	const wf, val = "hyperctl workflow", "hyperctl manifest validate"
	tests := []struct {
		line  string
		path  string
		flags flags
		args  []string
	}{
		{"workflow -op status", wf, flags{"op": "status"}, nil},
		{"workflow -op=status", wf, flags{"op": "status"}, nil},
		{"workflow --op status", wf, flags{"op": "status"}, nil},
		{"workflow --op=status", wf, flags{"op": "status"}, nil},
		{"workflow -op list", wf, flags{"op": "list"}, nil},
		{"workflow -op queue", wf, flags{"op": "queue"}, nil},
		{"workflow -op watch", wf, flags{"op": "watch"}, nil},
		{"-o json workflow -op list", wf, flags{"output": "json", "op": "list"}, nil},
		{"workflow -op list -o json", wf, flags{"output": "json", "op": "list"}, nil},
		{"workflow -ojson -op list", wf, flags{"output": "json", "op": "list"}, nil},
		{"workflow -o=json -op list", wf, flags{"output": "json", "op": "list"}, nil},
		{"workflow -output json -op list", wf, flags{"output": "json", "op": "list"}, nil},
		{"workflow -qv -op watch", wf, flags{"quiet": "true", "verbose": "true", "op": "watch"}, nil},
		{"workflow -qo json -op list", wf, flags{"quiet": "true", "output": "json", "op": "list"}, nil},
		{"workflow -d -op status", wf + " status", flags{"workflow-dir": "-op"}, nil}, // the position of a value wins
		{"workflow -d -op", wf, flags{"workflow-dir": "-op"}, nil},
		{"workflow --workflow-dir -op -op list", wf, flags{"workflow-dir": "-op", "op": "list"}, nil},
		{"workflow -workflow-dir /w -op list", wf, flags{"workflow-dir": "/w", "op": "list"}, nil},
		{"-workflow-dir /w workflow -op list", wf, flags{"workflow-dir": "/w", "op": "list"}, nil},
		{"workflow list -status failed", wf + " list", flags{"status": "[failed]"}, nil},
		{"workflow list -all -no-headers", wf + " list", flags{"all": "true", "no-headers": "true"}, nil},
		{"workflow log -f web01", wf + " log", flags{"follow": "true"}, []string{"web01"}},
		{"manifest validate -file x.json", val, flags{"file": "[x.json]"}, nil},
		{"manifest validate -file=x.json", val, flags{"file": "[x.json]"}, nil},
		{"manifest validate -f x.json -file y.json", val, flags{"file": "[x.json,y.json]"}, nil},
		{"manifest validate -f -file", val, flags{"file": "[-file]"}, nil},
		{"manifest validate -f ile", val, flags{"file": "[ile]"}, nil},
		{"manifest validate --file=ile", val, flags{"file": "[ile]"}, nil},
		{"manifest validate -- -file", val, flags{}, []string{"-file"}},
		{"manifest validate x.json -- -op", val, flags{}, []string{"x.json", "-op"}},
		{"manifest validate -", val, flags{}, []string{"-"}},
		{"manifest submit -file manifest.json", "hyperctl manifest submit", flags{"file": "[manifest.json]"}, nil},
		{"manifest submit -wait -timeout 1h x.json", "hyperctl manifest submit", flags{"wait": "true", "timeout": "1h0m0s"}, []string{"x.json"}},
		{"manifest generate /path/to/vm.vmdk /output/dir", "hyperctl manifest generate", flags{}, []string{"/path/to/vm.vmdk", "/output/dir"}},
		{"image convert -compress -level 3 a b", "hyperctl image convert", flags{"compress": "true", "level": "3"}, []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got, f, _ := dryRun(t, strings.Fields(tt.line)...)
			if f != nil {
				t.Fatalf("refused: %s", f.Error())
			}
			if got.path != tt.path || !maps.Equal(got.flags, tt.flags) || !slices.Equal(got.args, tt.args) {
				t.Errorf("ran %q with %v and arguments %q;\nwant %q with %v and %q", got.path, got.flags, got.args, tt.path, tt.flags, tt.args)
			}
		})
	}
}

func TestRefusedSpellings(t *testing.T) {
	tests := []struct {
		line string
		says []string // each must stand in what is printed
	}{
		{"workflow -op", []string{"flag needs an argument: --op"}},
		{"workflow -op bogus", []string{"status, list, queue, watch"}},
		{"workflow list -op status", []string{"give either the subcommand or -op"}},
		{"workflow -op status list", []string{"give either the subcommand or -op"}},
		{"-file x.json manifest validate", []string{"give the command first", "hyperctl manifest validate -file"}},
		{"-op status workflow", []string{"give the command first", "hyperctl workflow -op"}},
		{"workflow lst", []string{`unknown command "lst"`, "hyperctl workflow list"}},
		{"wrkflow", []string{`unknown command "wrkflow"`, "hyperctl workflow"}},
		{"workflow -o p", []string{"table, wide, json, yaml, jsonl, tsv, name"}},
		{"workflow -output p", []string{"table, wide, json, yaml, jsonl, tsv, name"}},
		{"workflow list -nosuch", []string{"unknown shorthand"}},
		{"manifest bogus", []string{`unknown command "bogus"`}},
		{"workflow list extra", []string{`unknown command "extra"`}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got, f, _ := dryRun(t, strings.Fields(tt.line)...)
			if f == nil {
				t.Fatalf("ran %q with %v", got.path, got.flags)
			}
			if f.exit != exitUsage {
				t.Errorf("exit code %d, want %d", f.exit, exitUsage)
			}
			for _, s := range tt.says {
				if all := f.what + "\n" + f.why + "\n" + f.try; !strings.Contains(all, s) {
					t.Errorf("says %q, want %q in it", all, s)
				}
			}
		})
	}
}

func TestCompletionOfOp(t *testing.T) {
	for _, args := range [][]string{
		{"__complete", "workflow", "-op", ""},
		{"__complete", "workflow", "--op", ""},
		{"__completeNoDesc", "-o", "json", "workflow", "-op", ""},
	} {
		_, f, out := dryRun(t, args...)
		if f != nil {
			t.Fatalf("%q: %s", args, f.Error())
		}
		if !strings.HasPrefix(out, "status\nlist\nqueue\nwatch\n") {
			t.Errorf("%q completes to %q", args, out)
		}
	}
}

// TestNoSurprisingClusters walks every command: a long flag whose single-dash spelling is also a legal cluster of shorthands
// would take a meaning away from the cluster. Those on the list are meant.
func TestNoSurprisingClusters(t *testing.T) {
	meant := map[string]bool{
		"op": true, "output": true, "output-format": true, "output-dir": true, "output-name": true, "one-vm": true, "origin": true, // -o p, -o utput: no output modes
		"file": true, "from": true, // -f ile: write -f ./ile or --file=ile
		"date": true, "daemon-config": true, "dry-run": true, "disk": true, // -d ate: write -d ./ate
		"follow": true, // -f of log takes no value, and -o "llow" is no output mode
	}
	con := newConsole(strings.NewReader(""), os.Stdout, os.Stderr, func(string) string { return "" }, time.Now)
	root := newRoot(con, func() {})
	met := 0
	walk(root, func(c *cobra.Command) {
		names := map[string]bool{}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { names[f.Name] = true })
		c.InheritedFlags().VisitAll(func(f *pflag.Flag) { names[f.Name] = true })
		for name := range names {
			if !isCluster(c, name) {
				continue
			}
			met++
			if !meant[name] {
				t.Errorf("%s: -%s is a cluster of shorthands too", c.CommandPath(), name)
			}
		}
	})
	if met == 0 {
		t.Error("not even -op was found: the test sees nothing")
	}
}

// isCluster tells whether pflag would read -letters as shorthands.
func isCluster(c *cobra.Command, letters string) bool {
	for i := range len(letters) {
		f := shortFlag(c, letters[i:i+1])
		if f == nil {
			return false
		}
		if takesValue(f) {
			return true
		}
	}
	return true
}

// TestEnumsRefuseEverythingElse guards the trap that -op falls into without Normalize.
func TestEnumsRefuseEverythingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "value")
		var v string
		err := enum{&v, outputModes}.Set(s)
		if ok := slices.Contains(outputModes, s); ok != (err == nil) || (!ok && v != "") {
			t.Fatalf("%q: %v, value %q", s, err, v)
		}
	})
}

var tokens = []string{"workflow", "manifest", "validate", "list", "log", "image", "convert", "-op", "-op=list", "--op", "-o", "json", "-ojson", "-qv", "-qo",
	"-file", "-f", "-", "--", "-file=x", "--file=x", "-d", "-help", "-h", "x", "", "-=", "--=", "-\xff", "-o=", "__complete", "-follow", "-dry-run", "--nosuch", "-output"}

// checkNormalize holds what must be true of any command line.
func checkNormalize(t interface{ Fatalf(string, ...any) }, root *cobra.Command, args []string) {
	before := slices.Clone(args)
	got := Normalize(root, args)
	if !slices.Equal(args, before) {
		t.Fatalf("%q was changed to %q in place", before, args)
	}
	if len(got) != len(args) {
		t.Fatalf("%q became %q: the count changed", args, got)
	}
	end := false
	for i := range got {
		if end && got[i] != args[i] {
			t.Fatalf("%q became %q: %q stands after --", args, got, args[i])
		}
		if got[i] != args[i] && got[i] != "-"+args[i] {
			t.Fatalf("%q became %q", args[i], got[i])
		}
		end = end || args[i] == "--"
	}
	if again := Normalize(root, got); !slices.Equal(again, got) {
		t.Fatalf("%q became %q, and that %q", args, got, again)
	}
}

func testRoot() *cobra.Command {
	con := newConsole(strings.NewReader(""), os.Stdout, os.Stderr, func(string) string { return "" }, time.Now)
	return newRoot(con, func() {})
}

func TestNormalizeProperties(t *testing.T) {
	root := testRoot()
	rapid.Check(t, func(t *rapid.T) {
		tok := rapid.OneOf(rapid.SampledFrom(tokens), rapid.String())
		checkNormalize(t, root, rapid.SliceOfN(tok, 0, 8).Draw(t, "args"))
	})
}

func FuzzNormalize(f *testing.F) {
	for i := range tokens {
		f.Add(strings.Join([]string{tokens[i], tokens[(i*7+3)%len(tokens)], tokens[(i*5+1)%len(tokens)], tokens[(i*3)%len(tokens)]}, "\n"))
	}
	root := testRoot()
	f.Fuzz(func(t *testing.T, line string) { checkNormalize(t, root, strings.Split(line, "\n")) })
}
