package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestEveryExitCodeHasAScript holds the table of the help to the scripts: a code that no script ends with is not known to work.
func TestEveryExitCodeHasAScript(t *testing.T) {
	var scripts strings.Builder
	paths, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		scripts.WriteString("\n" + string(b))
	}
	codes := 0
	for line := range strings.Lines(exitHelp()) {
		code, _, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			continue
		}
		codes++
		if code != "0" && !strings.Contains(scripts.String(), "\nexits "+code+" ") && !strings.Contains(scripts.String(), "\ninterrupted "+code+" ") {
			t.Errorf("no script ends with exit code %s: %s", code, strings.TrimSpace(line))
		}
	}
	if codes != 11 {
		t.Errorf("the help lists %d codes", codes)
	}
}
