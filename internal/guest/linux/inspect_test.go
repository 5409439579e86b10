package linux

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// TestInspect runs the guests below testdata/inspect: archives of files, where "-> TO" is a link, "#elf MACHINE" a program, "#kernel
// VERSION" an image with that version in its header. The last file, want.json, is the system that is found.
func TestInspect(t *testing.T) {
	files, err := filepath.Glob("testdata/inspect/*.txtar")
	if err != nil || len(files) < 12 {
		t.Fatalf("only %d guests, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tree, want := guestOf(a)
			system := inspected(t, tree, guest.System{})
			system.Interfaces, system.Tools = nil, nil
			got, err := json.MarshalIndent(system, "", "\t")
			if err != nil {
				t.Fatal(err)
			}
			if got = append(got, '\n'); bytes.Equal(got, want) {
				return
			}
			if f := flag.Lookup("update-cases"); f != nil && f.Value.String() == "true" {
				updateGuest(t, file, a, got)
				return
			}
			t.Errorf("found\n%s\nwant\n%s", got, want)
		})
	}
}

func guestOf(a *txtar.Archive) (tree *guesttest.Tree, want []byte) {
	tree = guesttest.NewTree()
	for _, f := range a.Files {
		text := strings.TrimSuffix(string(f.Data), "\n")
		first, rest, _ := strings.Cut(text, " ")
		file := guest.File{Data: f.Data, Mode: 0o644}
		switch {
		case f.Name == "want.json":
			want = f.Data
			continue
		case first == "->":
			file = guest.File{Link: rest, Mode: os.ModeSymlink | 0o777}
		case first == "#elf":
			file.Data = elfFile(rest)
		case first == "#kernel":
			file.Data = kernelImage(rest)
		}
		tree.Put(f.Name, file)
		if filepath.Base(f.Name) == "modules.dep" {
			for _, m := range moduleFiles(text) {
				if !strings.HasPrefix(m, "/") {
					m = filepath.Dir(f.Name) + "/" + m
				}
				tree.Text(m, "module")
			}
		}
	}
	return tree, want
}

// elfFile is the beginning of a program for a machine: "62", "22 be".
func elfFile(machine string) []byte {
	number, big, _ := strings.Cut(machine, " ")
	n, _ := strconv.ParseUint(number, 10, 16)
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 60)...)
	binary.LittleEndian.PutUint16(b[18:], uint16(n))
	if big == "be" {
		b[5] = 2
		binary.BigEndian.PutUint16(b[18:], uint16(n))
	}
	return b
}

// kernelImage is a kernel as far as its header says its version.
func kernelImage(version string) []byte {
	b := make([]byte, 0x220, 0x300)
	copy(b[0x202:], "HdrS")
	binary.LittleEndian.PutUint16(b[0x20e:], 0x20)
	return append(append(b, version+" (builder@host) #1 SMP"...), 0)
}

func updateGuest(t *testing.T, file string, a *txtar.Archive, got []byte) {
	t.Helper()
	if n := len(a.Files) - 1; a.Files[n].Name == "want.json" {
		a.Files = a.Files[:n]
	}
	a.Files = append(a.Files, txtar.File{Name: "want.json", Data: got})
	if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
		t.Fatal(err)
	}
}
