package manifest_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"hyper2kvm/internal/manifest"
)

// examples are the manifests that are shipped.
func examples(tb testing.TB) map[string][]byte {
	tb.Helper()
	files := map[string][]byte{}
	for _, pattern := range []string{"job-config-*", "pipeline-manifest*", "artifact-manifest*"} {
		names, err := filepath.Glob("../../examples/" + pattern)
		if err != nil || len(names) == 0 {
			tb.Fatalf("no examples %s: %v", pattern, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				tb.Fatal(err)
			}
			files[filepath.Base(name)] = b
		}
	}
	return files
}

// TestExamples loads every shipped manifest without so much as a warning.
func TestExamples(t *testing.T) {
	vms := map[string]string{
		"job-config-simple.yaml": "my-vm", "job-config-batch.yaml": "vm1 vm2 vm3 db01", "pipeline-manifest.yaml": "web01", "pipeline-manifest.json": "web01",
		"pipeline-manifest-batch.json": "web01 files01", "artifact-manifest-minimal.json": "web01", "artifact-manifest-full.json": "web01",
	}
	for name, b := range examples(t) {
		drafts, problems := manifest.Load(name, b)
		var names []string
		for _, d := range drafts {
			names = append(names, d.Name)
		}
		if got := strings.Join(names, " "); len(problems) > 0 || got != vms[name] {
			t.Errorf("%s: VMs %q, want %q; problems %v", name, got, vms[name], problems)
		}
	}
}

// TestSameExample: the two ways to write one manifest are the same job.
func TestSameExample(t *testing.T) {
	files := examples(t)
	a, _ := manifest.Load("a.yaml", files["pipeline-manifest.yaml"])
	b, _ := manifest.Load("b.json", files["pipeline-manifest.json"])
	if ja, jb := a[0].Resolve(manifest.ProductDefaults()), b[0].Resolve(manifest.ProductDefaults()); !reflect.DeepEqual(ja, jb) {
		t.Errorf("YAML %+v\nJSON %+v", ja, jb)
	}
}

// TestPromised loads the job configs that users were promised, letter by letter.
func TestPromised(t *testing.T) {
	simple := "# my-vm-job.yaml\ninput: my-vm.vmdk\noutput_format: qcow2\ncompress: true\nfstab_mode: stabilize-all\nregen_initramfs: true\nfix_grub: true\n"
	drafts, problems := manifest.Load("my-vm-job.yaml", []byte(simple))
	if len(problems) > 0 || len(drafts) != 1 {
		t.Fatal(problems)
	}
	job := drafts[0].Resolve(manifest.ProductDefaults())
	want := manifest.Job{
		Dialect: manifest.DialectJobConfig, Name: "my-vm", Source: manifest.Source{Disks: []manifest.SourceDisk{{Path: "my-vm.vmdk"}}},
		Inspect: manifest.Inspect{Enabled: true, DetectOS: true},
		Fix: manifest.Fix{Enabled: true, Fstab: true, FstabMode: "stabilize-all", Grub: true, Initramfs: true, Network: true, NetworkLevel: "moderate",
			RemoveVMwareTools: true, Compact: true},
		Convert: manifest.Convert{Format: "qcow2", Compress: true, Compression: "zlib", Flatten: true},
		Check:   manifest.Check{Enabled: true, Integrity: true},
		Asked:   manifest.Asked{"convert.format": true, "convert.compress": true, "fix.fstab_mode": true, "fix.initramfs": true, "fix.grub": true},
	}
	if !reflect.DeepEqual(job, want) {
		t.Errorf("got  %+v\nwant %+v", job, want)
	}

	batch := "# batch-job.yaml\njobs:\n  - input: vm1.vmdk\n    output_format: qcow2\n    compress: true\n\n  - input: vm2.vhd\n    output_format: raw\n" +
		"    compress: false\n\n  - input: vm3.ova\n    output_format: qcow2\n    flatten: true\n"
	drafts, problems = manifest.Load("batch-job.yaml", []byte(batch))
	if len(problems) > 0 || len(drafts) != 3 {
		t.Fatal(problems)
	}
	for i, want := range []string{"vm1 [vm1.vmdk] qcow2 true", "vm2 [vm2.vhd] raw false", "vm3 [vm3.ova] qcow2 true"} {
		j := drafts[i].Resolve(manifest.ProductDefaults())
		if got := fmt.Sprint(j.Name, " ", drafts[i].Inputs(), " ", j.Convert.Format, " ", j.Convert.Compress); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestProblems pins what a person reads, for every kind of mistake.
func TestProblems(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a.yaml", "- a\n", `a.yaml:1:1: error H2K-MAN-001: a manifest is a mapping (key: value) (begin with input:, version: or manifest_version:)`},
		{"a.yaml", "a: 1\n", `a.yaml:1:1: error H2K-MAN-003: this is none of the known manifests (begin with input: (job config), version: "1.0" (pipeline manifest) or manifest_version: "1.0" (artifact manifest))`},
		{"a.yaml", "workflow_dir: /x\nmode: disk\n", `a.yaml:1:1: error H2K-MAN-003: this is a configuration of the daemon, not a manifest (give it to the daemon with --config)`},
		{"a.yaml", "version: \"1.0\"\ninput: a.vmdk\n", `a.yaml:2:1: error H2K-MAN-003: two dialects in one file: "version" makes it a pipeline manifest, "input" makes it a job config (write one file for each)`},
		{"a.yaml", "manifest_version: \"1.0\"\nversion: \"1.0\"\n", `a.yaml:2:1: error H2K-MAN-003: two dialects in one file: "manifest_version" makes it an artifact manifest, "version" makes it a pipeline manifest (write one file for each)`},
		// keys
		{"a.yaml", "imput: a.vmdk\n", `a.yaml:1:1: error H2K-MAN-002: unknown key "imput" (did you mean "input"?)`},
		{"a.yaml", "input: a.vmdk\nout_format: raw\nzzz: 1\nx-note: 1\n", "a.yaml:2:1: error H2K-MAN-002: unknown key \"out_format\" (did you mean \"output_format\"?)\n" +
			`a.yaml:3:1: error H2K-MAN-002: unknown key "zzz"`},
		{"a.yaml", "output_format: raw\n", `a.yaml:1:1: error H2K-MAN-005: "input" is missing`},
		{"a.yaml", "jobs:\n- compress: true\n", `a.yaml:2:3: error H2K-MAN-005: jobs[0]: "input" is missing`},
		{"a.yaml", "jobs: []\n", `a.yaml:1:1: error H2K-MAN-005: jobs: the list is empty; at least 1 is needed`},
		{"a.yaml", "jobs:\n- a.vmdk\n", `a.yaml:2:3: error H2K-MAN-004: jobs[0]: want a mapping (key: value), got "a.vmdk"`},
		{"a.yaml", "jobs:\n- input: a\nname: x\ncompress: false\n", `a.yaml:3:1: error H2K-MAN-008: "name" cannot stand beside "jobs": it is of one VM (move it into an item of jobs)`},
		{"a.yaml", "input: a\njobs:\n- input: b\n", `a.yaml:1:1: error H2K-MAN-008: "input" cannot stand beside "jobs": it is of one VM (move it into an item of jobs)`},
		{"a.yaml", "input: a\ninput: b\n", `a.yaml:2:1: error H2K-MAN-006: the key "input" stands twice, first in line 1`},
		// values
		{"a.yaml", "input: a\ncompress: yes\nflatten: \"true\"\nfix_grub:\n", "a.yaml:2:11: error H2K-MAN-004: compress: want true or false, got \"yes\" (write true)\n" +
			"a.yaml:3:10: error H2K-MAN-004: flatten: want true or false, got \"true\" (remove the quotes)\n" +
			`a.yaml:4:1: error H2K-MAN-004: fix_grub: want true or false, got nothing (remove the key to get the default)`},
		{"a.yaml", "input: a\nfstab_mode: stabilise-all\n", `a.yaml:2:13: error H2K-MAN-004: fstab_mode: want one of stabilize-all, bypath-only, noop, got "stabilise-all" (did you mean "stabilize-all"?)`},
		{"a.yaml", "input: 12\nname: 2024\n", "a.yaml:1:8: error H2K-MAN-004: input: want a text or a list of texts, got 12 (put it in quotes)\n" +
			`a.yaml:2:7: error H2K-MAN-004: name: want a text, got 2024 (put it in quotes)`},
		{"a.yaml", "input: a\ncompress_level: 010\n", `a.yaml:2:17: error H2K-MAN-004: compress_level: want a whole number from 1 to 19, got 010`},
		{"a.yaml", "input: a\ncompress_level: 12\n", `a.yaml:2:17: error H2K-MAN-008: compress_level: zlib has the levels 1 to 9, got 12 (levels above 9 need compression: zstd)`},
		{"a.yaml", "input: a\ncompress: [true]\n", `a.yaml:2:1: error H2K-MAN-004: compress: want true or false, got a list`},
		{"a.yaml", "input: a\nchecksum: md5:0\n", `a.yaml:2:11: error H2K-MAN-004: checksum: want sha256: and 64 hexadecimal digits, got "md5:0"`},
		{"a.yaml", "input: a\ntags: {a: [1]}\n", `a.yaml:2:8: error H2K-MAN-004: tags.a: want a text, got a list`},
		{"a.yaml", "input: a\nvm: {mem_gb: 1, mem_mb: 512}\nnics: [{mac: 1:2}]\n", "a.yaml:2:25: error H2K-MAN-008: vm.mem_mb: \"mem_mb\" cannot stand beside \"mem_gb\"\n" +
			`a.yaml:3:14: error H2K-MAN-004: nics[0].mac: want a hardware address as in 00:50:56:ab:cd:ef, got "1:2"`},
		// warnings
		{"a.yaml", "input: a\nnetwork_fix_level: full\n", `a.yaml:2:20: warning H2K-MAN-011: network_fix_level: full is read as aggressive (write aggressive)`},
		{"a.yaml", "input: a\noutput_format: raw\ncompress: true\n", `a.yaml:3:11: warning H2K-MAN-010: compress: raw images are not compressed; only qcow2 is`},
		{"a.yaml", "compress: true\njobs:\n- input: a\n  output_format: raw\n", ""},
		{"a.yaml", "input: a\ncompress: false\ncompress_level: 3\n", `a.yaml:3:17: warning H2K-MAN-010: compress_level: the level has no effect with compress: false`},
		{"a.yaml", "input: a\nvm: {firmware: efi}\n", `a.yaml:2:16: warning H2K-MAN-011: vm.firmware: efi is read as uefi (write uefi)`},
		// paths and names
		{"a.yaml", "input: ../a.vmdk\n", `a.yaml:1:8: error H2K-SEC-001: input: "../a.vmdk" climbs with .. (write the path without ..)`},
		{"a.yaml", "input: /srv/../etc/shadow\n", `a.yaml:1:8: error H2K-SEC-001: input: "/srv/../etc/shadow" climbs with .. (write the path without ..)`},
		{"a.yaml", "input: sub/a.vmdk\n", `a.yaml:1:8: error H2K-SEC-001: input: "sub/a.vmdk" is a path that depends on where it is read (write the plain name of a file beside the manifest, or an absolute path)`},
		{"a.yaml", "input: 'json:{\"driver\": \"file\"}'\n", `a.yaml:1:8: error H2K-SEC-001: input: "json:{\"driver\": \"file\"}" is not a path of a file (URLs and protocol prefixes are not taken; write the name of a file)`},
		{"a.yaml", "input: nbd://host/x\n", `a.yaml:1:8: error H2K-SEC-001: input: "nbd://host/x" is not a path of a file (URLs and protocol prefixes are not taken; write the name of a file)`},
		{"a.yaml", "input: C:\\vms\\a.vhdx\n", `a.yaml:1:8: error H2K-SEC-001: input: "C:\\vms\\a.vhdx" is a path on Windows (copy the file here and write its name)`},
		{"a.yaml", "input: \"a\\nb.vmdk\"\n", `a.yaml:1:8: error H2K-SEC-002: input: "a\nb.vmdk" holds a control character or an invisible one (rename the file)`},
		{"a.yaml", "input: \"a\\0b\"\n", `a.yaml:1:8: error H2K-SEC-002: input: "a\x00b" holds a control character or an invisible one (rename the file)`},
		{"a.yaml", "input: .hidden\n", `a.yaml:1:8: error H2K-SEC-002: input: ".hidden" begins with a dot or a dash (rename the file)`},
		{"a.yaml", "input: -o x\n", `a.yaml:1:8: error H2K-SEC-002: input: "-o x" begins with a dot or a dash (rename the file)`},
		{"a.yaml", "input: \"\"\n", `a.yaml:1:8: error H2K-SEC-002: input: the path is empty`},
		{"a.yaml", "input: a.yaml\n", `a.yaml:1:8: error H2K-MAN-008: input: "a.yaml" is this manifest itself`},
		{"a.yaml", "input: [a.vmdk, b.vmdk, a.vmdk]\n", `a.yaml:1:25: error H2K-MAN-008: input[2]: "a.vmdk" is named twice, first in line 1`},
		{"a.yaml", "jobs:\n- input: a.vmdk\n- input: a.vmdk\n", `a.yaml:3:10: error H2K-MAN-008: jobs[1].input: "a.vmdk" belongs to another VM already, see line 2 (a file beside the manifest moves with its job; an absolute path is read where it is)`},
		{"a.yaml", "jobs:\n- input: /a.vmdk\n- input: /a.vmdk\n", ""},
		{"a.yaml", "input: a\nname: a/b\n", `a.yaml:2:7: error H2K-SEC-002: name: "a/b" cannot be a name: it holds a slash or backslash (the name becomes a file, a directory and a domain)`},
		{"a.yaml", "input: a\noutput_dir: out\n", `a.yaml:2:13: error H2K-SEC-001: output_dir: "out" is not an absolute path (begin with a slash)`},
		{"a.yaml", "input: a\noutput_name: a.raw\noutput_format: qcow2\n", `a.yaml:2:14: error H2K-MAN-008: output_name: "a.raw" is a name for raw, but the format is qcow2`},
		// the pipeline manifest
		{"a.yaml", "version: 1.0\npipeline: {load: {source_path: a}}\n", ""},
		{"a.yaml", "version: \"2.0\"\npipeline: {load: {source_path: a}}\n", `a.yaml:1:10: error H2K-MAN-004: version: want "1.0", got "2.0"`},
		{"a.yaml", "pipeline: {load: {source_path: a}}\n", `a.yaml:1:1: error H2K-MAN-005: "version" is missing`},
		{"a.yaml", "version: 1.0\n", `a.yaml:1:1: error H2K-MAN-005: "pipeline" is missing`},
		{"a.yaml", "version: 1.0\nbatch: true\n", `a.yaml:1:1: error H2K-MAN-005: "vms" is missing`},
		{"a.yaml", "version: 1.0\nbatch: true\npipeline: {load: {source_path: a}}\n", `a.yaml:3:1: error H2K-MAN-008: "pipeline" is read only without batch: true (write batch: false, or move it into an item of vms)`},
		{"a.yaml", "version: 1.0\nbatch: false\nvms: [{name: a, pipeline: {load: {source_path: a}}}]\n", `a.yaml:3:1: error H2K-MAN-008: "vms" is read only with batch: true (write batch: true)`},
		{"a.yaml", "version: 1.0\nvms:\n- name: a\n  pipeline: {load: {}}\n- pipeline: {load: {source_path: b}}\n", "a.yaml:4:14: error H2K-MAN-005: vms[0].pipeline.load: \"source_path\" is missing\n" +
			`a.yaml:5:3: error H2K-MAN-005: vms[1]: "name" is missing`},
		{"a.yaml", "version: 1.0\npipeline: {}\n", `a.yaml:2:1: error H2K-MAN-005: pipeline: "load" is missing`},
		{"a.yaml", "version: 1.0\npipeline:\n  load: {source_path: a}\n  compress: true\n", `a.yaml:4:3: error H2K-MAN-002: pipeline: unknown key "compress" (did you mean "pipeline.convert.compress"?)`},
		{"a.yaml", "version: 1.0\npipeline:\n  load: {source_path: a}\n  fix: {inject_drivers: true, regenerate_initramfs: true}\n  validate: {test_boot: true}\n",
			"a.yaml:4:9: error H2K-MAN-002: pipeline.fix: unknown key \"inject_drivers\" (virtio drivers are always seen to by initramfs)\n" +
				"a.yaml:4:31: error H2K-MAN-002: pipeline.fix: unknown key \"regenerate_initramfs\" (did you mean \"initramfs\"?)\n" +
				`a.yaml:5:14: error H2K-MAN-002: pipeline.validate: unknown key "test_boot" (did you mean "boot_test"?)`},
		{"a.yaml", "version: 1.0\npipeline:\n  load: {source_path: a}\n  convert: {output_path: /out/a.raw, output_format: vdi}\n", `a.yaml:4:26: error H2K-MAN-008: pipeline.convert.output_path: "a.raw" is a name for raw, but the format is vdi`},
		{"a.yaml", "version: 1.0\npipeline:\n  load: {source_path: a}\n  convert: {output_path: out/a.raw}\n", `a.yaml:4:26: error H2K-SEC-001: pipeline.convert.output_path: "out/a.raw" is not an absolute path (begin with a slash)`},
		{"a.yaml", "version: 1.0\npipeline:\n  load: {source_path: [a, b], checksum: \"sha256:" + strings.Repeat("0", 64) + "\"}\n", `a.yaml:3:41: error H2K-MAN-008: pipeline.load.checksum: one checksum cannot stand for 2 files (an artifact manifest has a checksum for each disk)`},
		{"a.yaml", "version: 1.0\npipeline:\n  load: {source_path: a}\n  validate: {boot_test: false, require_boot: true}\n", `a.yaml:4:46: error H2K-MAN-008: pipeline.validate.require_boot: a boot test cannot be required with boot_test: false`},
		// the artifact manifest
		{"a.json", `{"manifest_version":"1.0"}`, `a.json:1:1: error H2K-MAN-005: "disks" is missing`},
		{"a.json", `{"manifest_version":"1.0","disks":[]}`, `a.json:1:27: error H2K-MAN-005: disks: the list is empty; at least 1 is needed`},
		{"a.json", `{"manifest_version":"1.0","disks":[{"id":"a b","source_format":"vmdk","local_path":"a"}]}`, `a.json:1:42: error H2K-MAN-004: disks[0].id: want letters, digits, _ and -, got "a b"`},
		{"a.json", "{\"manifest_version\":\"1.0\",\"disks\":[{\"id\":\"a\",\"source_format\":\"vmdk\",\"local_path\":\"a\",\"disk_type\":\"boot\"},\n" +
			`{"id":"a","source_format":"vmdk","local_path":"b","disk_type":"boot"}]}`, "a.json:2:7: error H2K-MAN-006: disks[1].id: the id \"a\" stands twice, first in line 1\n" +
			`a.json:2:63: error H2K-MAN-008: disks[1].disk_type: a VM has one boot disk; line 1 names another`},
		{"a.json", `{"manifest_version":"1.0","disks":[{"id":"a","source_format":"vmdk","local_path":"a","bytes":-1}],"vm":{"secure_boot":true}}`,
			"a.json:1:94: error H2K-MAN-004: disks[0].bytes: want a whole number, 0 or more, got -1\n" +
				`a.json:1:105: error H2K-MAN-002: vm: unknown key "secure_boot" (did you mean "secureboot"?)`},
		{"a.json", `{"manifest_version":"1.0","disks":[{"id":"a","source_format":"vmdk","local_path":"a"}],"configuration":{"hostname":"x"},"options":{"report":{"enabled":false}}}`,
			"a.json:1:88: warning H2K-MAN-010: configuration: users, services, hostname and network of the guest are not applied (set up the guest after its first start)\n" +
				`a.json:1:152: warning H2K-MAN-010: options.report.enabled: the report is always written`},
		{"a.json", `{"manifest_version":"1.0","disks":[{"id":"a","source_format":"vmdk","local_path":"a"}],"pipeline":{"convert":{"enabled":false,"target_format":"raw"}}}`,
			"a.json:1:121: error H2K-MAN-004: pipeline.convert.enabled: the conversion cannot be left out (options: {dry_run: true} plans and converts nothing)\n" +
				`a.json:1:127: error H2K-MAN-002: pipeline.convert: unknown key "target_format" (did you mean "output.format"?)`},
		{"a\x1b.json", `{`, `"a\x1b.json":1:1: error H2K-MAN-001: the JSON text ends too early: a closing }, ] or quote is missing`},
	}
	for _, tt := range tests {
		drafts, problems := manifest.Load(tt.name, []byte(tt.text))
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		if g := strings.Join(got, "\n"); g != tt.want {
			t.Errorf("%q:\ngot  %s\nwant %s", tt.text, g, tt.want)
		}
		err := problems.Err()
		if (err == nil) != (len(drafts) > 0) || (err != nil && !errors.Is(err, manifest.ErrInvalid)) {
			t.Errorf("%q: %d drafts beside error %v", tt.text, len(drafts), err)
		}
	}
}

// TestWrite pins the form of the list, with the lines of the file.
func TestWrite(t *testing.T) {
	source := []byte("version: \"1.0\"\npipeline:\n  load: {source_path: web01.vmdk}\n  fix:\n    initramf: {enabled: true}\n  convert:\n    compress: maybe\n")
	_, problems := manifest.Load("web01.yaml", source)
	var b bytes.Buffer
	if err := problems.Write(&b, source); err != nil {
		t.Fatal(err)
	}
	want := `web01.yaml:5:5: error H2K-MAN-002: pipeline.fix: unknown key "initramf" (did you mean "initramfs"?)
    5 |     initramf: {enabled: true}
      |     ^~~~~~~~
web01.yaml:7:15: error H2K-MAN-004: pipeline.convert.compress: want true or false, got "maybe"
    7 |     compress: maybe
      |               ^~~~~
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if got, want := problems.Err().Error(), `web01.yaml:5:5: error H2K-MAN-002: pipeline.fix: unknown key "initramf" (did you mean "initramfs"?) (and 1 more)`; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}

// TestMany: a file with too many problems lists the first and says how many more there are.
func TestMany(t *testing.T) {
	_, problems := manifest.Load("a.yaml", []byte("jobs:\n"+strings.Repeat("- output_format: x\n  network_fix_level: full\n  input: a\n  zzz: 1\n", 200)))
	failures, _ := problems.Counts()
	if len(problems) != 101 || failures < 100 {
		t.Errorf("%d problems, %d of them errors", len(problems), failures)
	}
}
