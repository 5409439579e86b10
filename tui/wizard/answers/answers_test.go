package answers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard/answers"
)

var word = rapid.StringMatching(`[a-zA-Z0-9é 中'"#:,{}=&*!|>%@-]{0,12}[a-zA-Z0-9]`)

// anyVM answers a random part of what can be answered, so that nothing contradicts.
func anyVM(t *rapid.T, nth int) answers.VM {
	vm := answers.VM{"input": fmt.Sprintf("vm%d.vmdk", nth)}
	for i := range rapid.IntRange(0, 2).Draw(t, "disks") {
		vm["input"] += fmt.Sprintf("\n/data/%d/disk%d %s.vmdk", nth, i, rapid.StringMatching(`[a-z'"#,&-]{0,8}`).Draw(t, "disk"))
	}
	for _, f := range answers.Fields() {
		if f.Path == "input" || rapid.Bool().Draw(t, f.Path+"?") {
			continue
		}
		switch {
		case slices.Contains([]string{"checksum", "output_name", "compress_level", "require_boot", "vm.mem_gb", "vm.secureboot"}, f.Path):
			continue // they depend on others; see TestAnswersThatDepend
		case f.Path == "name":
			vm[f.Path] = "n" + rapid.StringMatching(`[a-z0-9 ._-]{0,8}[a-z0-9]`).Draw(t, "name")
		case f.Path == "output_dir":
			vm[f.Path] = "/" + rapid.StringMatching(`[a-z0-9 '"#,&-]{0,8}[a-z]`).Draw(t, "dir")
		case f.Path == "nics":
			vm[f.Path] = fmt.Sprintf("[{mac: \"00:50:56:00:00:%02x\", network: net%s}]", nth, rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "net"))
		case f.Path == "tags":
			vm[f.Path] = "wave=" + rapid.StringMatching(`[a-z0-9]{1,5}`).Draw(t, "wave") + ", x y=" + rapid.StringMatching(`[0-9]{1,3}|true|no|~`).Draw(t, "tag")
		case f.Kind == answers.Switch:
			vm[f.Path] = strconv.FormatBool(rapid.Bool().Draw(t, f.Path))
		case f.Kind == answers.Word:
			vm[f.Path] = rapid.SampledFrom(f.Values).Draw(t, f.Path)
		case f.Kind == answers.Number:
			vm[f.Path] = strconv.Itoa(rapid.IntRange(1, 9).Draw(t, f.Path))
		case f.Kind == answers.Line && f.Path == "vm.os_version":
			vm[f.Path] = strings.TrimSpace(word.Draw(t, f.Path))
		}
	}
	if vm["vm.firmware"] == "efi" || vm["network_fix_level"] == "full" { // loaded with a warning
		delete(vm, "vm.firmware")
		delete(vm, "network_fix_level")
	}
	if f := vm["output_format"]; f != "" && f != manifest.FormatQcow2 && vm["compress"] == "true" {
		delete(vm, "compress")
	}
	return vm
}

// TestWhatIsWrittenIsReadBack: the manifest of any answers loads without a problem, and gives the same answers.
func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f answers.Form
		for i := range rapid.IntRange(1, 4).Draw(t, "vms") {
			f.VMs = append(f.VMs, anyVM(t, i))
		}
		for name, write := range map[string]func() ([]byte, error){"m.yaml": f.YAML, "m.json": f.JSON} {
			b, err := write()
			if err != nil {
				t.Fatal(err)
			}
			if _, problems := manifest.Load(name, b); len(problems) > 0 {
				t.Fatalf("%v\n%s", problems, b)
			}
			got, lost, problems := answers.Read(name, b)
			if len(lost)+len(problems) > 0 || !got.Equal(f) {
				t.Fatalf("%s\ngave  %v\nwant  %v\nlost %v, %v", b, got.VMs, f.VMs, lost, problems)
			}
		}
	})
}

func TestAnswersThatDepend(t *testing.T) {
	for _, vm := range []answers.VM{
		{"input": "a.vmdk", "checksum": "sha256:" + strings.Repeat("0f", 32)},
		{"input": "a.vmdk", "output_name": "b.raw", "output_format": "raw"},
		{"input": "a.vmdk", "compression": "zstd", "compress_level": "12"},
		{"input": "a.vmdk", "boot_test": "true", "require_boot": "true"},
		{"input": "a.vmdk", "vm.mem_gb": "4", "vm.firmware": "uefi", "vm.secureboot": "true"},
		{"input": "a.vmdk", "tags": `{"a=b": " x", "c,": "d\ne"}`},
		{"input": "a.vmdk", "nics": `[{id: "a: b", network: "x, y"}, {mac: "00:50:56:00:00:01"}]`},
	} {
		f := answers.Form{VMs: []answers.VM{vm}}
		b, err := f.YAML()
		if err != nil {
			t.Fatal(err)
		}
		got, lost, problems := answers.Read("m.yaml", b)
		if len(lost)+len(problems) > 0 {
			t.Errorf("%s: %v %v", b, lost, problems)
		}
		again, err := got.YAML()
		if err != nil || string(again) != string(b) {
			t.Errorf("%s\nbecame %s (%v)", b, again, err)
		}
	}
}

// TestProblemsFindTheirField: what is wrong stands at the answer that is wrong, in the loader's words.
func TestProblemsFindTheirField(t *testing.T) {
	good := answers.VM{"input": "good.vmdk"}
	for _, tt := range []struct {
		vm    answers.VM
		field string
		code  string
	}{
		{answers.VM{}, "input", manifest.CodeManifestRequired},
		{answers.VM{"input": "../a.vmdk"}, "input", manifest.CodePolicyPath},
		{answers.VM{"input": "a.vmdk\n../b.vmdk"}, "input", manifest.CodePolicyPath},
		{answers.VM{"input": "a.vmdk", "name": "-x"}, "name", manifest.CodePolicyName},
		{answers.VM{"input": "a.vmdk", "vm.cpu": "4x"}, "vm.cpu", manifest.CodeManifestValue},
		{answers.VM{"input": "a.vmdk", "vm.cpu": "99999"}, "vm.cpu", manifest.CodeManifestValue},
		{answers.VM{"input": "a.vmdk", "compress": "maybe"}, "compress", manifest.CodeManifestValue},
		{answers.VM{"input": "a.vmdk", "output_format": "qcow3"}, "output_format", manifest.CodeManifestValue},
		{answers.VM{"input": "a.vmdk", "nics": "[{mac: x}]"}, "nics", manifest.CodeManifestValue},
		{answers.VM{"input": "a.vmdk", "nics": "[*a]"}, "nics", manifest.CodeManifestValue},
		{answers.VM{"input": "a.vmdk", "tags": "wave"}, "tags", manifest.CodeManifestValue},
		{answers.VM{"input": "a.vmdk", "output_dir": "here"}, "output_dir", manifest.CodePolicyPath},
		{answers.VM{"input": "a.vmdk", "boot_test": "false", "require_boot": "true"}, "require_boot", manifest.CodeManifestConflict},
	} {
		for _, f := range []answers.Form{{VMs: []answers.VM{tt.vm}}, {VMs: []answers.VM{good, tt.vm}}} {
			found := f.Check()
			if !slices.ContainsFunc(found, func(p answers.Problem) bool {
				return p.Field == tt.field && p.Code == tt.code && p.VM == len(f.VMs)-1
			}) {
				t.Errorf("%v: %+v", f.VMs, found)
			}
		}
	}
	if found := (answers.Form{VMs: []answers.VM{good, {"input": "b.vmdk"}}}).Check(); len(found) > 0 {
		t.Error(found)
	}
	if found := (answers.Form{VMs: []answers.VM{{"input": "\xff"}}}).Check(); len(found) == 0 {
		t.Error("bytes that are no text are taken")
	}
}

// TestReadOtherDialects: a manifest of another dialect becomes the same job, and what has no key is named.
func TestReadOtherDialects(t *testing.T) {
	for _, tt := range []struct{ name, content, lost string }{
		{"pipeline", `{"version":"1.0","name":"web01","pipeline":{"load":{"source_type":"vmdk","source_path":"web01.vmdk"},"inspect":{"enabled":true},
			"fix":{"fstab":{"enabled":false},"grub":{"enabled":false},"network":{"enabled":true,"fix_level":"aggressive"}},
			"convert":{"output_format":"raw","output_path":"/out/x.raw"},"validate":{"enabled":true,"boot_test":true}},"tags":{"wave":"3"},
			"vm":{"cpu":2,"mem_gb":4},"nics":[{"mac":"00:50:56:ab:cd:ef"}]}`, ""},
		{"detail", `{"version":"1.0","pipeline":{"load":{"source_path":"a.vmdk"},"inspect":{"detect_os":false},"validate":{"check_image_integrity":false}}}`,
			"inspect.detect_os, validate.integrity"},
		{"artifact", `{"manifest_version":"1.0","source":{"provider":"vsphere","vm_name":"web01"},"vm":{"cpu":4,"mem_gb":16,"firmware":"uefi"},
			"disks":[{"id":"d0","source_format":"vmdk","bytes":10,"local_path":"a.vmdk","checksum":"sha256:` + strings.Repeat("ab", 32) + `"}],
			"output":{"directory":"/out","format":"qcow2"},"options":{"dry_run":true}}`, "source.disks[0].bytes, source.disks[0].format, source.disks[0].id, what the export says of itself"},
	} {
		f, lost, problems := answers.Read("m.json", []byte(tt.content))
		if problems.Err() != nil {
			t.Fatal(problems)
		}
		if got := strings.Join(lost, ", "); got != tt.lost {
			t.Errorf("%s: lost %q, want %q (%v)", tt.name, got, tt.lost, f.VMs)
		}
		if found := f.Check(); len(found) > 0 {
			t.Errorf("%s: %v", tt.name, found)
		}
	}
	if _, _, problems := answers.Read("m.yaml", []byte("input: 3\n")); problems.Err() == nil {
		t.Error("a manifest that is not valid was read")
	}
}

// TestReadExamples: every example of the repository can be taken up.
func TestReadExamples(t *testing.T) {
	files, err := filepath.Glob("../../../examples/*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	read := 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, _, problems := answers.Read(name, b)
		if problems.Err() != nil {
			continue // settings of the daemon
		}
		read++
		if found := f.Check(); slices.ContainsFunc(found, func(p answers.Problem) bool { return p.Severity == manifest.SeverityError }) {
			t.Errorf("%s: %v", name, found)
		}
	}
	if read < 5 {
		t.Errorf("only %d examples were read", read)
	}
}

// TestFieldsAreTheTable: every key of the job config can be answered, each has its kind, and no two have the same flag.
func TestFieldsAreTheTable(t *testing.T) {
	flags := map[string]string{}
	have := map[string]answers.Field{}
	for _, f := range answers.Fields() {
		if old, taken := flags[f.Flag()]; taken {
			t.Errorf("--%s is %s and %s", f.Flag(), old, f.Path)
		}
		flags[f.Flag()] = f.Path
		have[f.Path] = f
		if f.Does == "" {
			t.Errorf("%s says nothing", f.Path)
		}
	}
	for _, f := range manifest.Fields() {
		path, item := strings.CutPrefix(f.Path, "jobs[].")
		if f.Dialect != manifest.DialectJobConfig || !item || strings.Contains(path, "[]") || f.Type == "mapping" {
			continue
		}
		if _, ok := have[path]; !ok {
			t.Errorf("%s cannot be answered", path)
		}
	}
	for path, kind := range map[string]answers.Kind{"input": answers.Lines, "compress": answers.Switch, "nics": answers.Structure, "tags": answers.Labels, "vm.cpu": answers.Number} {
		if have[path].Kind != kind {
			t.Errorf("%s is of kind %d", path, have[path].Kind)
		}
	}
	if f := have["fix_grub"]; f.Stage != "fix" || f.Step != answers.Stages || have["fix"].Stage != "fix" || !have["fix"].Head() || have["boot_test"].Stage != "validate" {
		t.Errorf("stages: %+v", f)
	}
}

func TestArgsAndChanges(t *testing.T) {
	f := answers.Form{VMs: []answers.VM{{"input": "a b.vmdk\nc.vmdk", "compress": "false", "vm.cpu": "2"}, {"input": "d.ova", "output_format": "qcow2", "fix": "true"}}}
	want := "--input|a b.vmdk|--input|c.vmdk|--compress=false|--vm-cpu|2|--next|--input|d.ova|--output-format|qcow2|--fix"
	if got := strings.Join(f.Args("--next"), "|"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var got []string
	for _, c := range f.Changes(answers.Fields()) {
		got = append(got, fmt.Sprintf("%d %s %q->%q %v", c.VM, c.Path, c.Default, c.Value, c.Same))
	}
	if s := strings.Join(got, "; "); !strings.Contains(s, `0 compress "true"->"false" false`) || !strings.Contains(s, `1 output_format "qcow2"->"qcow2" true`) {
		t.Error(s)
	}
}

// TestDefaultsOfADaemon: each setting is the default of its field, and the product's settings are the product's defaults.
func TestDefaultsOfADaemon(t *testing.T) {
	product := answers.DefaultsOf(manifest.ProductDefaults(), "")
	for _, f := range answers.FieldsWith(product) {
		if f.Own {
			t.Errorf("%s: the product's own default %q differs from that of the table", f.Path, f.Default)
		}
	}
	d := manifest.Defaults{
		Format: "raw", Compression: "zstd", Level: 9, FstabMode: "noop", NetworkLevel: "aggressive", Serial: true, BootTest: true,
		Networks: map[string]string{"VM Network": "bridge:br0"},
	}
	want := map[string]string{
		"output_format": "raw", "output_dir": "/srv/kvm", "compress": "false", "compression": "zstd", "compress_level": "9", "flatten": "false", "inspect": "false",
		"fix": "false", "fstab_mode": "noop", "regen_initramfs": "false", "fix_grub": "false", "fix_network": "false", "network_fix_level": "aggressive",
		"remove_vmware_tools": "false", "serial_console": "true", "compact": "false", "validate": "false", "boot_test": "true", "network_map": "VM Network=bridge:br0",
	}
	for _, f := range answers.FieldsWith(answers.DefaultsOf(d, "/srv/kvm")) {
		if v, set := want[f.Path]; set != f.Own || set && v != f.Default {
			t.Errorf("%s: default %q, the daemon's own %v, want %q", f.Path, f.Default, f.Own, v)
		}
		delete(want, f.Path)
	}
	if len(want) > 0 {
		t.Errorf("no fields: %v", want)
	}
}
