package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

// shellLines are the commands of a page of documentation, as it prints them: the lines of its blocks marked sh.
func shellLines(page []byte) (lines []string) {
	inside := false
	for line := range strings.Lines(string(page)) {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(text, "```"):
			inside = text == "```sh"
		case inside && text != "":
			lines = append(lines, text)
		}
	}
	return lines
}

// comment is what stands behind a command, set off by blanks.
var comment = regexp.MustCompile(`(\s{2,}|^)#.*$`)

// inlineCommand is a command within a sentence.
var inlineCommand = regexp.MustCompile("`(hyperctl [^`]+)`")

// clientCommands are the calls of hyperctl in a line of the shell, each as the words that it gets.
func clientCommands(line string) (calls [][]string) {
	line = comment.ReplaceAllString(line, "")
	line = regexp.MustCompile(`\$\([^)]*\)`).ReplaceAllString(line, "JOB")
	var words []string
	end := func() {
		if at := slices.Index(words, "hyperctl"); at >= 0 {
			calls = append(calls, words[at+1:])
		}
		words = nil
	}
	var word strings.Builder
	quote, begun := rune(0), false
	put := func() {
		if begun {
			words = append(words, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case r == ' ':
			put()
		case strings.ContainsRune("|&;", r):
			put()
			end()
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	put()
	end()
	for i, words := range calls {
		if at := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, ">") || strings.HasPrefix(w, "2>") }); at >= 0 {
			calls[i] = words[:at]
		}
	}
	return calls
}

// refusedCall is why a call of hyperctl would end with exit code 2 before it begins; nothing is run.
func refusedCall(words []string) error {
	con := newConsole(strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }, time.Now)
	root := newRoot(con, func() {})
	walk(root, func(c *cobra.Command) {
		if c.RunE != nil && c.HasParent() {
			c.RunE = func(*cobra.Command, []string) error { return nil }
		}
	})
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	root.SetArgs(Normalize(root, words))
	return root.Execute()
}

// namesCommand tells whether words only name a command, as a sentence about it does.
func namesCommand(words []string) bool {
	c, rest, err := newRoot(testConsole(io.Discard, nil), func() {}).Find(words)
	return err == nil && c.HasParent() && len(rest) == 0
}

// TestPrintedCommandsAreRight holds every command that the documentation, the help and the hints print to what the program takes.
func TestPrintedCommandsAreRight(t *testing.T) {
	printed := map[string][]string{}
	for _, pattern := range []string{"../../README.md", "../../docs/*.md", "../../docs/guide/*.md", "../../packaging/*.md", "../../examples/*"} {
		pages, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			b, err := os.ReadFile(page)
			if err != nil {
				continue // a directory
			}
			printed[page] = shellLines(b)
			for _, m := range inlineCommand.FindAllSubmatch(b, -1) {
				printed[page] = append(printed[page], string(m[1]))
			}
		}
	}
	walk(newRoot(testConsole(io.Discard, nil), func() {}), func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			if words, _, _ := strings.Cut(strings.TrimSpace(line), "   "); strings.HasPrefix(words, "hyperctl") { // the rest says what it is for
				printed["help of "+c.CommandPath()] = append(printed["help of "+c.CommandPath()], words)
			}
		}
	})
	seen := 0
	for page, lines := range printed {
		for _, line := range lines {
			for _, words := range clientCommands(line) {
				seen++
				if slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "...") || w == "…" }) {
					continue // it says that something is left out
				}
				if err := refusedCall(words); err != nil && !namesCommand(words) {
					t.Errorf("%s prints %q, which is refused: %v", page, line, err)
				}
			}
		}
	}
	if seen < 150 {
		t.Errorf("only %d commands were found: the test sees too little", seen)
	}
}

func TestClientCommands(t *testing.T) {
	for line, want := range map[string]string{
		`hyperctl doctor -o json 2>/dev/null >report.json`:                  `[[doctor -o json]]`,
		`hyperctl workflow list -o template='{{.name}} {{.state}}'   # all`: `[[workflow list -o template={{.name}} {{.state}}]]`,
		`sudo hyperctl ping && hyperctl explain "H2K" | less`:               `[[ping] [explain H2K]]`,
		`hyperctl workflow cancel $(hyperctl workflow list -o name) -y`:     `[[workflow cancel JOB -y]]`,
		`virsh start web01`: `[]`,
	} {
		if got := fmt.Sprint(clientCommands(line)); got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
	if refusedCall([]string{"workflow", "list", "--nosuch"}) == nil || refusedCall([]string{"workflow", "show"}) == nil {
		t.Error("a wrong command is taken")
	}
}

// TestGuideRuns runs the commands of each page of the guide, as printed and in their order, in a directory that is empty but for the disks
// that the page is about.
func TestGuideRuns(t *testing.T) {
	pages, err := filepath.Glob(guideDir + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(page), ".md")
		_, err = os.Stat(filepath.Join("testdata", "guide", name+".txtar"))
		if served := name == "dashboard"; err != nil && len(shellLines(b)) > 0 && !served { // the tests of serve run it
			t.Errorf("nothing runs the commands of %s: %v", page, err)
		}
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/guide",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			dir, err := filepath.Abs(guideDir)
			env.Setenv("GUIDE", dir)
			env.Setenv("HOME", env.Getenv("WORK")+"/home")
			env.Setenv("HYPERCTL_WORKFLOW_DIR", env.Getenv("WORK")+"/w")
			env.Setenv("HYPERCTL_DAEMON_CONFIG", env.Getenv("WORK")+"/daemon.yaml")
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "disk": makeDisk, "daemon": daemonCommand(), "page": runPage,
		},
	})
}

// runPage runs the commands of a page: page NAME [LINE=EXITCODE...] [LINE<COMMAND...], where other than 0 is expected, and where something
// happens before a line that the page leaves to the night. What the page has elsewhere on the host is in the script's directory.
func runPage(ts *testscript.TestScript, _ bool, args []string) {
	page, err := os.ReadFile(filepath.Join(ts.Getenv("GUIDE"), args[0]+".md"))
	ts.Check(err)
	expected, before := map[string]string{}, map[string]string{}
	for _, a := range args[1:] {
		if line, command, ok := strings.Cut(a, "<"); ok {
			before[line] = command
		} else if line, code, ok := strings.Cut(a, "="); ok {
			expected[line] = code
		}
	}
	bin := ts.MkAbs("bin")
	ts.Check(os.MkdirAll(bin, 0o755))
	// Only what the page needs, and nothing that tells doctor of the host under it.
	for _, name := range []string{"cp", "sh"} {
		at, err := exec.LookPath(name)
		ts.Check(err)
		ts.Check(os.Symlink(at, filepath.Join(bin, name)))
	}
	ts.Check(os.Symlink(programPath(ts, "hyperctl"), filepath.Join(bin, "hyperctl")))
	ts.Check(os.WriteFile(filepath.Join(bin, "virsh"), []byte("#!/bin/sh\n[ \"$1\" = start ] || [ -f \"$2\" ]\n"), 0o755))
	out, err := filepath.Glob(ts.MkAbs("out") + "/[0-9]*")
	ts.Check(err)
	for _, line := range shellLines(page) {
		if len(out) == 0 {
			out, err = filepath.Glob(ts.MkAbs("out") + "/[0-9]*")
			ts.Check(err)
		}
		here := strings.NewReplacer("/var/lib/hyper2kvm/workflow", ts.MkAbs("w"), "/vm/", ts.MkAbs("vm")+"/", "/export/", ts.MkAbs("export")+"/",
			"/var/lib/hyper2kvm/output/DATE", strings.Join(out, "")).Replace(line)
		plain := strings.TrimSpace(comment.ReplaceAllString(line, ""))
		if first := strings.Fields(before[plain]); len(first) > 0 {
			ts.Check(ts.Exec(first[0], first[1:]...))
		}
		if strings.HasSuffix(line, "workflow watch") { // until somebody has seen enough
			interrupted(ts, false, append([]string{"130", ""}, strings.Fields(here)...))
			continue
		}
		cmd := exec.Command("/bin/sh", "-c", here)
		cmd.Dir = ts.MkAbs(".")
		cmd.Env = append(scriptEnv(ts), "PATH="+bin, "CI=1")
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		err := cmd.Run()
		var exit *exec.ExitError
		code := 0
		switch {
		case errors.As(err, &exit):
			code = exit.ExitCode()
		case err != nil:
			ts.Fatalf("%s: %v", line, err)
		}
		want := cmp.Or(expected[plain], "0")
		ts.Logf("$ %s\n%s=> %d\n", line, said.String(), code)
		if fmt.Sprint(code) != want {
			ts.Fatalf("%q ends with %d, not with %s", line, code, want)
		}
	}
}
