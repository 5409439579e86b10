package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// binDir is where TestMain built both programs, the daemon with its test seam.
var binDir string //nolint:gochecknoglobals // testscript's commands need it, and TestMain has no other way to hand it on

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	if binDir = os.Getenv("H2K_TEST_BIN"); binDir != "" { // they are built already
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "hyper2kvm-bin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-tags", "testseam", "-o", dir+"/", ".", "../hyperctl")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as they are built for users: with cgo jobs would not be confined
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		return 1
	}
	if err := os.Chmod(dir, 0o755); err != nil { // for a daemon of another user
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binDir = dir
	return m.Run()
}

// TestScripts runs the scripts below testdata/script, each over both real programs and a workflow directory of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await":   await,
			"daemon":  startDaemon,
			"disk":    makeDisk,
			"glob":    glob,
			"hold":    hold,
			"release": release,
			"writer":  writer,
			"same":    same,
			"tmpfs":   tmpfs,
			"fuse":    mountFUSE,
			"killjob": killJob,
			"awaitok": awaitOK,
			"odd":     makeOdd,
			"bind":    bindMount,
			"mounted": mounted,
			"printed": printed,
			"serve":   startServe,
			"unserve": stopServe,
			"web":     web,
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "fuse":
				return canFUSE(), nil
			case "overlay":
				return canMount("overlay"), nil
			case "userns":
				return canHaveUserNamespace(), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binDir+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HYPERCTL_WORKFLOW_DIR", filepath.Join(e.WorkDir, "w"))
			e.Setenv("H2K_TEST_HOLD", filepath.Join(e.WorkDir, "hold"))
			e.Setenv("H2K_MISTAKE", os.Getenv("H2K_MISTAKE")) // the tests in proof/ look for mistakes with these scripts
			e.Setenv("HOME", e.WorkDir)
			e.Values[writersKey{}] = map[string]*os.File{}
			e.Defer(func() { closeWriters(e.Values[writersKey{}]) })
			for _, dir := range []string{e.WorkDir, filepath.Dir(e.WorkDir)} { // for a daemon of another user
				if err := os.Chmod(dir, 0o755); err != nil {
					return err
				}
			}
			return os.Mkdir(filepath.Join(e.WorkDir, "hold"), 0o755)
		},
	})
}
