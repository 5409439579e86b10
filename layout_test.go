// Package hyper2kvm_test holds the rules of the repository's layout: one job per package, imports downwards only.
package hyper2kvm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floors lists what each package may import of ours, beside test files. A package that is not here may import nothing of ours.
var floors = map[string][]string{
	"internal/manifest":    {"internal/strictyaml"},
	"internal/config":      {"internal/strictyaml"},
	"internal/queue":       {"internal/atomicfile"},
	"internal/disk/raw":    {"internal/disk"},
	"internal/disk/qcow2":  {"internal/disk", "internal/disk/deflate", "internal/disk/zstdblock"},
	"internal/disk/vmdk":   {"internal/disk", "internal/disk/deflate"},
	"internal/disk/vhd":    {"internal/disk"},
	"internal/disk/vhdx":   {"internal/disk"},
	"internal/disk/vdi":    {"internal/disk"},
	"internal/disk/packed": {"internal/disk", "internal/xz"},
	"internal/disk/formats": {
		"internal/disk", "internal/disk/raw", "internal/disk/qcow2", "internal/disk/vmdk", "internal/disk/vhd", "internal/disk/vhdx", "internal/disk/vdi",
	},
	"internal/disk/disktest":   {"internal/disk"},
	"internal/machine/ovf":     {"internal/machine"},
	"internal/machine/vmx":     {"internal/machine"},
	"internal/machine/ova":     {"internal/machine", "internal/machine/ovf"},
	"internal/machine/domxml":  {"internal/machine"},
	"internal/guest/native":    {"internal/guest"},
	"internal/guest/guestfs":   {"internal/guest"},
	"internal/guest/guesttest": {"internal/guest"},
	"internal/guest/initramfs": {"internal/xz"},
	"internal/guest/linux":     {"internal/guest", "internal/guest/initramfs"},
	"internal/guest/windows":   {"internal/guest"},
	"internal/nbd":             {"internal/disk"},
	"internal/accel":           {"internal/atomicfile"},
	"internal/manpage":         {},
	"internal/scratch":         {},
	"internal/boottest":        {},
	"internal/doctor":          {"internal/boottest", "internal/guest/guestfs"},
	"internal/api":             {"internal/queue", "internal/jobs", "internal/manifest", "internal/version", "schema"},
	"internal/convert": {
		"internal/manifest", "internal/disk", "internal/disk/formats", "internal/disk/packed", "internal/disk/qcow2", "internal/machine", "internal/machine/ovf",
		"internal/machine/vmx", "internal/machine/ova", "internal/machine/domxml", "internal/guest", "internal/guest/native", "internal/guest/guestfs", "internal/guest/linux", "internal/guest/windows", "internal/nbd",
		"internal/boottest", "internal/accel", "internal/atomicfile", "internal/version", "internal/scratch",
	},
	"internal/daemon": {
		"internal/atomicfile", "internal/queue", "internal/manifest", "internal/convert", "internal/disk", "internal/disk/formats", "internal/disk/packed", "internal/disk/vmdk", "internal/machine",
		"internal/machine/ovf", "internal/machine/vmx", "internal/machine/ova", "internal/version", "internal/sandbox", "internal/scratch",
	},
	"tui":                {"internal/queue", "internal/manifest", "tui/hush", "internal/jobs", "tui/look"},
	"tui/wizard":         {"internal/manifest", "tui/hush", "tui/look", "tui/wizard/answers"},
	"tui/wizard/answers": {"internal/manifest"},
	"internal/jobs":      {"internal/queue", "internal/manifest"},
	"tui/look":           {"internal/queue"},
	"web":                {},
	"cmd/hyper2kvmd":     {"internal/accel", "internal/atomicfile", "internal/config", "internal/convert", "internal/daemon", "internal/manifest", "internal/manpage", "internal/queue", "internal/version"},
	"cmd/hyperctl": {
		"internal/manpage",
		"internal/atomicfile", "internal/config", "internal/convert", "internal/disk", "internal/disk/formats", "internal/disk/packed", "internal/manifest", "internal/strictyaml", "internal/queue",
		"internal/version", "schema", "tui", "internal/jobs", "tui/look", "tui/wizard", "tui/wizard/answers", "internal/api", "internal/doctor", "internal/accel",
		"internal/guest", "internal/guest/guestfs", "internal/guest/linux", "internal/machine", "internal/machine/ova", "internal/machine/ovf", "internal/machine/vmx",
		"web",
	},
}

// packages maps each directory with Go files to its parsed files, tests left out.
func packages(t *testing.T) map[string][]*ast.File {
	t.Helper()
	found := map[string][]*ast.File{}
	fset := token.NewFileSet()
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		found[dir] = append(found[dir], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("found %d packages: the test looks in the wrong place", len(found))
	}
	return found
}

func TestImportsGoDownOnly(t *testing.T) {
	for dir, files := range packages(t) {
		for _, f := range files {
			for _, spec := range f.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				ours, ok := strings.CutPrefix(path, "hyper2kvm/")
				if ok && !slices.Contains(floors[dir], ours) {
					t.Errorf("%s imports %s: imports go down only, see docs/architecture.md", dir, ours)
				}
				if strings.HasPrefix(path, "github.com/spf13/") && !strings.HasPrefix(dir, "cmd/") {
					t.Errorf("%s imports %s: flags are read in cmd", dir, path)
				}
				if strings.HasPrefix(path, "github.com/charmbracelet/") && dir != "tui" && !strings.HasPrefix(dir, "tui/") {
					t.Errorf("%s imports %s: the full-screen program is in tui", dir, path)
				}
				if dir == "tui/hush" && path != "syscall" {
					t.Errorf("tui/hush imports %s: it must be ready before os is, see its package comment", path)
				}
			}
		}
	}
}

// firstSentence is what a package comment must begin with: its name and a verb, ending in a full stop.
var firstSentence = regexp.MustCompile(`^(Package [a-z0-9]+|Command [a-z0-9]+|Hyper[a-z0-9]+) [a-z]+ [^ ].{20,}`)

func TestEveryPackageSaysItsJob(t *testing.T) {
	for dir, files := range packages(t) {
		var docs []string
		for _, f := range files {
			if f.Doc != nil {
				docs = append(docs, f.Doc.Text())
			}
		}
		switch {
		case len(docs) != 1:
			t.Errorf("%s has %d package comments, want one", dir, len(docs))
		case !firstSentence.MatchString(strings.ReplaceAll(docs[0], "\n", " ")):
			t.Errorf("%s: the package comment begins %.80q; want one sentence on its single job", dir, docs[0])
		}
	}
}

func TestNoPackageIsAShelf(t *testing.T) {
	shelf := regexp.MustCompile(`(^|/)(util|utils|helper|helpers|common|misc|base|manager|core)$`)
	for dir, files := range packages(t) {
		if shelf.MatchString(dir) {
			t.Errorf("%s: a package is named after its job", dir)
		}
		if len(files) == 0 {
			t.Errorf("%s is empty", dir)
		}
	}
}
