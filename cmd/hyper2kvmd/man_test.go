package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/config"
)

// TestManualTellsEverything: each flag and each key of the configuration has its place in the manual.
func TestManualTellsEverything(t *testing.T) {
	dir := t.TempDir()
	if asked, err := ship([]string{"man", dir}, nil); !asked || err != nil {
		t.Fatal(asked, err)
	}
	read := func(path string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	page := read("man5/hyper2kvm-workflow-daemon.5")
	for _, f := range config.Fields() {
		if !bytes.Contains(page, []byte(".B \""+f.Path+"\"\n")) {
			t.Errorf("%s is not in the manual", f.Path)
		}
	}
	if !bytes.Contains(read("man8/hyper2kvmd.8"), []byte(`.B "\-\-check\-config"`)) {
		t.Error("--check-config is not in the manual")
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var b bytes.Buffer
		if asked, err := ship([]string{"completion", shell}, &b); !asked || err != nil || !bytes.Contains(b.Bytes(), []byte("__complete")) {
			t.Errorf("%s: %d bytes, %v", shell, b.Len(), err)
		}
	}
	if _, err := ship([]string{"completion", "tcsh"}, nil); err == nil {
		t.Error("tcsh is taken")
	}
	if asked, _ := ship([]string{"--config", "man"}, nil); asked {
		t.Error("flags are taken for an order")
	}
}
