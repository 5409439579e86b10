package boottest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestMarkerFiles checks what a guest would meet: every link leads to a file of the set, and what starts the script exists in it.
func TestMarkerFiles(t *testing.T) {
	for _, init := range []string{"systemd", "upstart", "openrc", "sysvinit"} {
		files, err := MarkerFiles(testToken, init)
		if err != nil {
			t.Fatal(err)
		}
		byPath := map[string]File{}
		started := false
		for _, f := range files {
			byPath[f.Path] = f
			started = started || strings.Contains(string(f.Data), markerScript)
			if f.Path != markerScript && strings.Contains(string(f.Data), testToken) {
				t.Errorf("%s: %s holds the token: an init system may print it", init, f.Path)
			}
			if strings.Contains(string(f.Data), "%!") {
				t.Errorf("%s: %s", f.Path, f.Data)
			}
		}
		for _, f := range files {
			if (f.Link != "") != (f.Mode&fs.ModeSymlink != 0) || f.Link != "" && f.Data != nil {
				t.Errorf("%+v", f)
			}
			to := f.Link
			if to != "" && !path.IsAbs(to) {
				to = path.Join(path.Dir(f.Path), to)
			}
			if _, ok := byPath[to]; to != "" && !ok {
				t.Errorf("%s: %s leads to %s", init, f.Path, to)
			}
		}
		if !started || byPath[markerScript].Mode != 0o755 {
			t.Errorf("%s: nothing starts the script", init)
		}
	}
	for _, c := range [][2]string{{testToken, "runit"}, {testToken, ""}, {"short", "systemd"}, {"quote'quote'quote'", "systemd"}} {
		if files, err := MarkerFiles(c[0], c[1]); !errors.Is(err, ErrOptions) || files != nil {
			t.Errorf("%q: %v, %v", c, files, err)
		}
	}
}

// TestTheScripts lets shells judge them, and runs the one that prints.
func TestTheScripts(t *testing.T) {
	for _, init := range []string{"systemd", "upstart", "openrc", "sysvinit"} {
		files, err := MarkerFiles(testToken, init)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !strings.HasPrefix(string(f.Data), "#!") {
				continue
			}
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-n")
			cmd.Stdin = strings.NewReader(string(f.Data))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", f.Path, err, out)
			}
		}
	}
	// A console that is a plain file here: the script's test for a device is turned.
	dir := t.TempDir()
	console := filepath.Join(dir, "console")
	run := func(root, etc string) string {
		t.Helper()
		files, err := MarkerFiles(testToken, "systemd")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("in / /etc;", "in "+root+" "+etc+";", "/dev/ttyS0 /dev/console", console, "-c ", "-n ", "> \"$tty\"", ">> \"$tty\"", "sleep 1", ":").Replace(string(files[0].Data))
		if err := os.WriteFile(console, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "/bin/sh")
		cmd.Stdin = strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v\n%s", err, out)
		}
		b, err := os.ReadFile(console)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	nowhere := filepath.Join(dir, "nothing")
	for _, c := range []struct {
		root, etc string
		passed    bool
	}{{dir, nowhere, true}, {nowhere, dir, true}, {nowhere, nowhere, false}} {
		out := run(c.root, c.etc)
		if v := hear(out).verdict; v == nil || v.passed != c.passed || strings.Count(out, testToken) != 3 {
			t.Errorf("root %s, etc %s: %q is %+v", c.root, c.etc, out, v)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".hyper*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
