package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"hyper2kvm/internal/manifest"
)

func TestGenerate(t *testing.T) {
	out, err := manifest.Generate([]string{"/vm/web01.vmdk"}, manifest.GenerateOptions{
		OutputDir: "/out", Tags: manifest.Tags{"wave": "3"}, Set: map[string]string{"pipeline.convert.compress_level": "9", "vm.cpu": "4", "pipeline.validate.boot_test": "true"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `# yaml-language-server: $schema=/usr/share/hyper2kvm/schema/manifest-v1.schema.json
version: "1.0"
name: web01
pipeline:
  load:
    source_type: vmdk
    source_path: /vm/web01.vmdk
  inspect:
    enabled: true
    detect_os: true
  fix:
    fstab:
      enabled: true
      mode: stabilize-all
    grub:
      enabled: true
    initramfs:
      enabled: true
      regenerate: true
    network:
      enabled: true
      fix_level: moderate
  convert:
    output_format: qcow2
    compress: true
    output_path: /out/web01.qcow2
    compress_level: 9
  validate:
    enabled: true
    boot_test: true
tags:
  wave: "3"
vm:
  cpu: 4
`
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

// TestGenerateLoads: what is generated loads without a warning, as JSON and as YAML, alone and as a batch.
func TestGenerateLoads(t *testing.T) {
	tests := []struct {
		sources []string
		o       manifest.GenerateOptions
		want    string // VM name, inputs and output directory of each
	}{
		{[]string{"a.vhdx"}, manifest.GenerateOptions{}, "a [a.vhdx] ;"},
		{[]string{"/x/2024.img"}, manifest.GenerateOptions{Format: "raw", OutputDir: "/o"}, "2024 [/x/2024.img] /o;"},
		{[]string{"a.vmdk", "b.vmdk"}, manifest.GenerateOptions{OneVM: true, Name: "true"}, "true [a.vmdk b.vmdk] ;"},
		{[]string{"/x/a.ova", "/y/a.ova", "/z/c"}, manifest.GenerateOptions{OutputDir: "/o"}, "a [/x/a.ova] /o/a;a-2 [/y/a.ova] /o/a-2;c [/z/c] /o/c;"},
	}
	for _, tt := range tests {
		for _, json := range []bool{false, true} {
			tt.o.JSON = json
			name := map[bool]string{false: "m.yaml", true: "m.json"}[json]
			b, err := manifest.Generate(tt.sources, tt.o)
			if err != nil {
				t.Errorf("%v: %v", tt.sources, err)
				continue
			}
			drafts, problems := manifest.Load(name, b)
			got := ""
			for _, d := range drafts {
				got += d.Name + " [" + strings.Join(d.Inputs(), " ") + "] " + d.OutputDir + ";"
			}
			if got != tt.want || len(problems) > 0 {
				t.Errorf("%v: got %s, want %s (%v)", tt.sources, got, tt.want, problems)
			}
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	tests := []struct {
		sources []string
		o       manifest.GenerateOptions
		kind    error
	}{
		{nil, manifest.GenerateOptions{}, manifest.ErrSources},
		{[]string{"a", "b"}, manifest.GenerateOptions{Name: "x"}, manifest.ErrSources},
		{[]string{"../a"}, manifest.GenerateOptions{}, manifest.ErrInvalid},
		{[]string{"nbd:x"}, manifest.GenerateOptions{}, manifest.ErrInvalid},
		{[]string{"a"}, manifest.GenerateOptions{Format: "qcow3"}, manifest.ErrInvalid},
		{[]string{"a"}, manifest.GenerateOptions{Name: "a/b"}, manifest.ErrInvalid},
		{[]string{"a"}, manifest.GenerateOptions{OutputDir: "rel"}, manifest.ErrInvalid},
		{[]string{"a"}, manifest.GenerateOptions{Schema: "x\ny"}, manifest.ErrSources},
		{[]string{"a"}, manifest.GenerateOptions{Set: map[string]string{"pipeline.convert.compres": "true"}}, manifest.ErrSources},
		{[]string{"a"}, manifest.GenerateOptions{Set: map[string]string{"pipeline.convert": "true"}}, manifest.ErrSources},
		{[]string{"a"}, manifest.GenerateOptions{Set: map[string]string{"pipeline.convert.compress": "yes"}}, manifest.ErrSources},
		{[]string{"a"}, manifest.GenerateOptions{Set: map[string]string{"batch": "true"}}, manifest.ErrSources},
		{[]string{"a"}, manifest.GenerateOptions{Set: map[string]string{"nics": "x"}}, manifest.ErrSources},
		{[]string{"a"}, manifest.GenerateOptions{Set: map[string]string{"": "x"}}, manifest.ErrSources},
	}
	for _, tt := range tests {
		if b, err := manifest.Generate(tt.sources, tt.o); b != nil || !errors.Is(err, tt.kind) {
			t.Errorf("%v %+v: %v, want %v", tt.sources, tt.o, err, tt.kind)
		}
	}
}

func TestLookupFields(t *testing.T) {
	for path, want := range map[string]string{
		"pipeline.fix.network": "pipeline.fix.network pipeline.fix.network.enabled pipeline.fix.network.fix_level",
		"vms[3].name":          "vms[].name",
		"disks.checksum":       "disks[].checksum",
		"nothing":              "",
	} {
		var got []string
		for _, f := range manifest.LookupFields(path) {
			if f.Text == "" {
				t.Errorf("%s has no text", f.Path)
			}
			got = append(got, f.Path)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", path, got, want)
		}
	}
	if n := len(manifest.LookupFields("")); n < 30 {
		t.Errorf("only %d keys at the top", n)
	}
}
