package proof_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// faultCount is how many faults the product must survive.
const faultCount = 60

// TestFaultsAreTried holds faults.md against the tests that there are: each fault is named once and has a test that exists, or says why not.
func TestFaultsAreTried(t *testing.T) {
	b, err := os.ReadFile("faults.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	next := 1
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 6 {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		if n != next {
			t.Errorf("fault %d follows fault %d", n, next-1)
		}
		next = n + 1
		tried := quoted.FindAllStringSubmatch(cells[4], -1)
		if len(tried) == 0 && !strings.Contains(cells[4], "not tried: ") {
			t.Errorf("fault %d has no test and no reason why", n)
		}
		for _, name := range tried {
			if !testExists(t, name[1]) {
				t.Errorf("fault %d: there is no test %s", n, name[1])
			}
		}
	}
	if next-1 != faultCount {
		t.Errorf("%d faults, want %d", next-1, faultCount)
	}
}

// testExists says whether faults.md names something that is there: a script, a program of this directory, or a test of a package.
func testExists(t *testing.T, name string) bool {
	t.Helper()
	root := ".."
	if strings.HasSuffix(name, ".txtar") {
		_, err := os.Stat(filepath.Join(root, "cmd/hyper2kvmd/testdata/script", name))
		return err == nil
	}
	dir, test, ok := strings.Cut(name, ".")
	if !ok {
		info, err := os.Stat(filepath.Join(root, name))
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	}
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
