package config_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"hyper2kvm/internal/config"
)

// TestExamples: the shipped files are valid, and the long one says nothing but the defaults.
func TestExamples(t *testing.T) {
	want := config.Default()
	if err := want.Validate(); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("../../examples/workflow-daemon*.yaml")
	if err != nil || len(names) != 2 {
		t.Fatalf("examples %v: %v", names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := config.Parse(name, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if filepath.Base(name) == "workflow-daemon.yaml" && !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// TestPromised reads the settings that users were promised, letter by letter.
func TestPromised(t *testing.T) {
	tests := []struct {
		text string
		want func(*config.Config)
	}{
		{"", func(*config.Config) {}},
		{"# nothing\n\n", func(*config.Config) {}},
		{"# Organize output by date and VM name\noutput_dir: /var/lib/hyper2kvm/output\n", func(*config.Config) {}},
		{"max_concurrent_jobs: 5  # Default: 3\n", func(c *config.Config) { c.MaxJobs = 5 }},
		{"out_format: raw        # or: raw, vdi\ncompress: true           # qcow2 only\nflatten: true            # Flatten snapshot chains\n" +
			"fstab_mode: bypath-only  # or: bypath-only, noop\nregen_initramfs: true    # Rebuild initramfs\n",
			func(c *config.Config) { c.OutFormat, c.FstabMode = "raw", "bypath-only" }},
		{"mode: manifest\nworkflow:\n  base_dir: /var/lib/hyper2kvm/manifest-workflow\n  max_workers: 3\n  poll_interval: 2\n",
			func(c *config.Config) { c.Mode, c.WorkflowDir = "manifest", "/var/lib/hyper2kvm/manifest-workflow" }},
		{"mode: manifest\n", func(c *config.Config) { c.Mode, c.WorkflowDir = "manifest", "/var/lib/hyper2kvm/manifest-workflow" }},
		{"command: daemon\nworkflow_mode: true\nworkflow_dir: /w/\n", func(c *config.Config) { c.WorkflowDir = "/w" }},
		{"stop_timeout: 90\nstall_timeout: 1h30m\nsettle: 0.5\nmissing_timeout: \"48h\"\n", func(c *config.Config) {
			c.StopTimeout, c.StallTimeout, c.Settle, c.MissingTimeout = 90*time.Second, 90*time.Minute, 500*time.Millisecond, 48*time.Hour
		}},
		{"import_roots: /srv/exports/\noutput_roots: [/srv/kvm, /srv/kvm]\noperators: [alice, '@kvm']\nlog_file: /var/log/x.log\nlog_level: debug\n", func(c *config.Config) {
			c.ImportRoots, c.OutputRoots, c.Operators = []string{"/srv/exports"}, []string{"/srv/kvm"}, []string{"alice", "@kvm"}
			c.LogFile, c.LogLevel = "/var/log/x.log", "debug"
		}},
		{"network_fix_level: full\ncompression: zstd\ncompress_level: 19\nboot_test: true\nvalidate: false\nfix: false\n", func(c *config.Config) {
			c.NetworkFixLevel, c.Compression, c.CompressLevel, c.BootTest, c.ValidateResult, c.Fix = "aggressive", "zstd", 19, true, false, false
		}},
	}
	for _, tt := range tests {
		want := config.Default()
		want.WorkflowDir = config.DefaultWorkflowDir
		tt.want(&want)
		got, err := config.Parse("c.yaml", []byte(tt.text))
		if err == nil {
			err = got.Validate()
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v (%v)", tt.text, got, want, err)
		}
	}
}

// TestProblems pins what a person reads.
func TestProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"c.yaml", "max_concurent_jobs: 3\nmax_workers: 2\n", "c.yaml:1:1: error H2K-CFG-001: unknown key \"max_concurent_jobs\" (did you mean \"max_concurrent_jobs\"?)\n" +
			`c.yaml:2:1: error H2K-CFG-001: unknown key "max_workers" (did you mean "max_concurrent_jobs"?)`},
		{"c.yaml", "mode: disc\ncompress: yes\nmax_concurrent_jobs: 0\n", "c.yaml:1:7: error H2K-CFG-001: mode: want one of disk, manifest, got \"disc\" (did you mean \"disk\"?)\n" +
			"c.yaml:2:11: error H2K-CFG-001: compress: want true or false, got \"yes\" (write true)\n" +
			`c.yaml:3:22: error H2K-CFG-001: max_concurrent_jobs: want a whole number from 1 to 256, got 0`},
		{"c.yaml", "workflow_dir: /a\nworkflow: {base_dir: /b}\n", `c.yaml:2:12: error H2K-CFG-001: workflow.base_dir: the same setting stands as "workflow_dir" at the top (remove one of them)`},
		{"c.yaml", "output_dir: out\nimport_roots: [/a, b/../c]\n", "c.yaml:1:13: error H2K-CFG-001: output_dir: want an absolute path, got \"out\" (begin with a slash)\n" +
			`c.yaml:2:15: error H2K-CFG-001: import_roots: want an absolute path, got "b/../c" (begin with a slash)`},
		{"c.yaml", "workflow: {base_dir: /w}\noutput_dir: /w/processed/x\n", `c.yaml:2:13: error H2K-CFG-001: output_dir: the output cannot go into processed/, which holds jobs`},
		{"c.yaml", "workflow: {base_dir: w}\n", `c.yaml:1:22: error H2K-CFG-001: workflow_dir: want an absolute path, got "w" (begin with a slash)`},
		{"c.yaml", "stall_timeout: soon\npoll_interval: 10ms\nsettle: -1\n", "c.yaml:1:16: error H2K-CFG-001: stall_timeout: want a duration as in 90s, 30m or 24h, or a number of seconds, got \"soon\"\n" +
			`c.yaml:3:9: error H2K-CFG-001: settle: want a duration as in 90s, 30m or 24h, or a number of seconds, got -1`},
		{"c.yaml", "poll_interval: 10ms\n", `c.yaml:1:16: error H2K-CFG-001: poll_interval: want a duration from 100ms to 8760h0m0s, got 10ms`},
		{"c.yaml", "compress_level: 12\n", `c.yaml:1:17: error H2K-CFG-001: compress_level: zlib has the levels 1 to 9, got 12`},
		{"c.yaml", "input: a.vmdk\n", `c.yaml:1:1: error H2K-CFG-001: unknown key "input" (a VM belongs in a manifest; drop it into to_be_processed/)`},
		{"c.yaml", "workflow_mode: false\n", `c.yaml:1:16: error H2K-CFG-001: workflow_mode: the daemon has no other mode of work (write true, or remove the key)`},
		{"c.yaml", "operators: ['a b', root]\n", `c.yaml:1:12: error H2K-CFG-001: operators: want the name of a user, or of a group with an @ before it, got "a b"`},
		{"c.yaml", "operators: ['@']\n", `c.yaml:1:12: error H2K-CFG-001: operators: want the name of a user, or of a group with an @ before it, got "@"`},
		{"c.yaml", "mode: disk\nmode: manifest\n", `c.yaml:2:1: error H2K-CFG-001: the key "mode" stands twice, first in line 1`},
		{"c.yaml", "a: *b\n", `c.yaml:1:4: error H2K-CFG-001: YAML aliases are not read (write the value out)`},
		{"c.json", `{"mode": "disk",}`, `c.json:1:17: error H2K-CFG-001: JSON has no comma after the last entry (remove the comma)`},
	}
	for _, tt := range tests {
		_, err := config.Parse(tt.name, []byte(tt.text))
		var ps config.Problems
		if !errors.As(err, &ps) || !errors.Is(err, config.ErrInvalid) {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		var got []string
		for _, p := range ps {
			got = append(got, p.String())
		}
		if g := strings.Join(got, "\n"); g != tt.want {
			t.Errorf("%q:\ngot  %s\nwant %s", tt.text, g, tt.want)
		}
	}
}

func TestWrite(t *testing.T) {
	source := []byte("mode: disk\nfix_grub: on\n")
	_, err := config.Parse("/etc/c.yaml", source)
	var ps config.Problems
	if !errors.As(err, &ps) {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := ps.Write(&b, source); err != nil {
		t.Fatal(err)
	}
	want := "/etc/c.yaml:2:11: error H2K-CFG-001: fix_grub: want true or false, got \"on\" (write true)\n    2 | fix_grub: on\n      |           ^~\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestValidate: settings that flags and the environment set are held to the same rules, all faults at once, and stay as they
// were when they are wrong.
func TestValidate(t *testing.T) {
	c := config.Default()
	c.Mode, c.MaxJobs, c.OutFormat, c.StallTimeout = "both", 1000, "iso", -time.Second
	c.WorkflowDir = "/w//x/"
	before := c
	err := c.Validate()
	var ps config.Problems
	if !errors.As(err, &ps) || len(ps) != 4 || !errors.Is(err, config.ErrInvalid) {
		t.Errorf("problems %v", err)
	}
	if !reflect.DeepEqual(c, before) {
		t.Errorf("changed to %+v", c)
	}
	if want := `error H2K-CFG-001: max_concurrent_jobs: want a whole number from 1 to 256, got 1000 (and 3 more)`; err != nil && err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// TestFields: the defaults that are told are those that hold, and every key has its sentence.
func TestFields(t *testing.T) {
	for _, f := range config.Fields() {
		if f.Text == "" {
			t.Errorf("%s has no text", f.Path)
		}
		if f.Default == "" || f.Path == "workflow_dir" {
			continue
		}
		c, err := config.Parse("c.yaml", []byte(f.Path+": "+f.Default+"\n"))
		if err != nil || !reflect.DeepEqual(c, config.Default()) {
			t.Errorf("%s: %s is not the default: %v", f.Path, f.Default, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("mode: manifest\nworkflow:\n  base_dir: /x\n  poll_interval: 2\n"))
	f.Add([]byte("operators: [a]\nsettle: 1e2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := config.Parse("c.yaml", b)
		if err != nil {
			if !errors.Is(err, config.ErrInvalid) || !reflect.DeepEqual(c, config.Config{}) {
				t.Fatalf("%v beside %+v", err, c)
			}
			return
		}
		// What Parse takes, Validate takes: the file's own faults have lines.
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if !filepath.IsAbs(c.WorkflowDir) || !filepath.IsAbs(c.OutputDir) {
			t.Fatalf("%+v", c)
		}
	})
}
