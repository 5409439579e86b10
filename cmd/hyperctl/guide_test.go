package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const guideDir = "../../docs/guide"

// recorded is a place in the guide for what a program shows: a golden screen of the tests, the output of a command, or a file.
var recorded = regexp.MustCompile(`(?s)(<!-- (screen|run|file): ([^\n]*) -->\n).*?(<!-- end -->\n)`)

// TestReferenceGuide holds what the guide shows to what the programs show. It is written with the reference.
func TestReferenceGuide(t *testing.T) {
	pages, err := filepath.Glob(guideDir + "/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	places := 0
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		got := recorded.ReplaceAllFunc(b, func(place []byte) []byte {
			places++
			m := recorded.FindSubmatch(place)
			text, lang := record(t, string(m[2]), string(m[3]))
			return fmt.Appendf(nil, "%s\n```%s\n%s\n```\n\n%s", m[1], lang, strings.TrimRight(text, "\n"), m[4])
		})
		switch {
		case bytes.Equal(got, b):
		case *update:
			if err := os.WriteFile(page, got, 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("%s does not show what the programs show. Write it anew with: go generate ./cmd/hyperctl", page)
		}
	}
	if places < 8 {
		t.Errorf("only %d places were found: the test sees too little", places)
	}
}

// record is what a place in the guide shows, and in which language.
func record(t *testing.T, kind, what string) (text, lang string) {
	t.Helper()
	switch kind {
	case "run":
		words := strings.Fields(what)
		if words[0] != "hyperctl" {
			t.Fatalf("%q is no command of hyperctl", what)
		}
		for i, w := range words {
			if _, err := os.Stat(filepath.Join(guideDir, "files", w)); err == nil && strings.HasSuffix(w, ".yaml") {
				words[i] = filepath.Join(guideDir, "files", w)
			}
		}
		var out bytes.Buffer
		env := map[string]string{"LC_ALL": "C.UTF-8", "HYPERCTL_DAEMON_CONFIG": "/nonexistent"}
		con := newConsole(strings.NewReader(""), &out, &out, func(name string) string { return env[name] }, time.Now)
		run(t.Context(), con, words[1:])
		return "$ " + what + "\n" + strings.ReplaceAll(out.String(), guideDir+"/files/", ""), "console"
	case "file":
		b, err := os.ReadFile("../../" + what)
		if err != nil {
			t.Fatal(err)
		}
		return string(b), "yaml"
	}
	b, err := os.ReadFile("../../" + what)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), "text"
}

// TestGuideLinks follows the links between the pages.
func TestGuideLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)`)
	pages, err := filepath.Glob(guideDir + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllSubmatch(b, -1) {
			if _, err := os.Stat(filepath.Join(guideDir, string(m[1]))); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

// TestGuideManifests checks the manifests that the guide shows as right ones.
func TestGuideManifests(t *testing.T) {
	var out bytes.Buffer
	con := newConsole(strings.NewReader(""), &out, &out, func(string) string { return "" }, time.Now)
	if code := run(t.Context(), con, []string{"manifest", "validate", "-file", guideDir + "/files/wave3.yaml"}); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, out.String())
	}
}
