package manifest_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"hyper2kvm/internal/manifest"
)

// one loads a manifest of one VM that has no errors.
func one(tb testing.TB, text string) manifest.Draft {
	tb.Helper()
	drafts, problems := manifest.Load("a.yaml", []byte(text))
	if len(drafts) != 1 {
		tb.Fatalf("%s: %v", text, problems)
	}
	return drafts[0]
}

// TestResolveFix: what is asked for, what is a default, and what switches what off.
func TestResolveFix(t *testing.T) {
	pipe := "version: 1.0\npipeline:\n  load: {source_path: a.vmdk}\n"
	off := manifest.ProductDefaults()
	off.Fix, off.Network, off.Validate = false, false, false
	tests := []struct {
		text string
		def  manifest.Defaults
		want manifest.Fix
	}{
		{"input: a", manifest.ProductDefaults(), manifest.Fix{Enabled: true, Fstab: true, FstabMode: "stabilize-all", Grub: true, Initramfs: true, Network: true, NetworkLevel: "moderate", RemoveVMwareTools: true, Compact: true}},
		{"input: a\nfix: false", manifest.ProductDefaults(), manifest.Fix{Fstab: true, FstabMode: "stabilize-all", Grub: true, Initramfs: true, Network: true, NetworkLevel: "moderate", RemoveVMwareTools: true, Compact: true}},
		{"input: a\nfstab_mode: noop", off, manifest.Fix{FstabMode: "noop", Grub: true, Initramfs: true, NetworkLevel: "moderate", RemoveVMwareTools: true, Compact: true}},
		{"input: a\nfix_grub: false", off, manifest.Fix{Fstab: true, FstabMode: "stabilize-all", Initramfs: true, NetworkLevel: "moderate", RemoveVMwareTools: true, Compact: true}},
		{"input: a\nnetwork_fix_level: full", off, manifest.Fix{Enabled: true, Fstab: true, FstabMode: "stabilize-all", Grub: true, Initramfs: true, Network: true, NetworkLevel: "aggressive", RemoveVMwareTools: true, Compact: true}},
		{pipe + "  fix: {fstab: {enabled: false}, initramfs: {enabled: true, regenerate: false}, remove_vmware_tools: false}", manifest.ProductDefaults(),
			manifest.Fix{Enabled: true, FstabMode: "stabilize-all", Grub: true, Network: true, NetworkLevel: "moderate", Compact: true}},
		{pipe + "  fix: {initramfs: {enabled: false, regenerate: true}, network: {enabled: false, fix_level: conservative}}", manifest.ProductDefaults(),
			manifest.Fix{Enabled: true, Fstab: true, FstabMode: "stabilize-all", Grub: true, NetworkLevel: "conservative", RemoveVMwareTools: true, Compact: true}},
	}
	for _, tt := range tests {
		if got := one(t, tt.text).Resolve(tt.def).Fix; got != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.text, got, tt.want)
		}
	}
}

// TestResolveConvert: formats, names and compression.
func TestResolveConvert(t *testing.T) {
	zstd, raw := manifest.ProductDefaults(), manifest.ProductDefaults()
	zstd.Compression, zstd.Level = "zstd", 12
	raw.Format = "raw"
	pipe := "version: 1.0\npipeline:\n  load: {source_path: a.vmdk}\n"
	tests := []struct {
		text string
		def  manifest.Defaults
		want manifest.Convert
	}{
		{"input: a", zstd, manifest.Convert{Format: "qcow2", Compress: true, Compression: "zstd", Level: 12, Flatten: true}},
		{"input: a\ncompression: zlib", zstd, manifest.Convert{Format: "qcow2", Compress: true, Compression: "zlib", Flatten: true}},
		{"input: a\ncompress_level: 3", zstd, manifest.Convert{Format: "qcow2", Compress: true, Compression: "zstd", Level: 3, Flatten: true}},
		{"input: a\ncompress: false", zstd, manifest.Convert{Format: "qcow2", Flatten: true}},
		{"input: a\ncompress: true", raw, manifest.Convert{Format: "raw", Flatten: true}},
		{"input: a\noutput_name: x.vdi\nflatten: false", zstd, manifest.Convert{Format: "vdi", OutputName: "x.vdi"}},
		{"input: a\noutput_name: x.img\noutput_dir: /out//x/", zstd, manifest.Convert{Format: "raw", OutputName: "x.img", OutputDir: "/out/x", Flatten: true}},
		{pipe + "  convert: {output_path: /out/web01.raw}", zstd, manifest.Convert{Format: "raw", OutputName: "web01.raw", OutputDir: "/out", Flatten: true}},
		{pipe + "  convert: {output_path: /out/web01/, output_format: vmdk}", zstd, manifest.Convert{Format: "vmdk", OutputDir: "/out/web01", Flatten: true}},
		{pipe + "  convert: {output_path: web01.qcow2, compress: false}", zstd, manifest.Convert{Format: "qcow2", OutputName: "web01.qcow2", Flatten: true}},
	}
	for _, tt := range tests {
		if got := one(t, tt.text).Resolve(tt.def).Convert; got != tt.want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", tt.text, got, tt.want)
		}
	}
}

// TestResolveCheck: a boot test that is asked for switches the stage on, unless the manifest itself switches it off.
func TestResolveCheck(t *testing.T) {
	off := manifest.ProductDefaults()
	off.Validate = false
	for text, want := range map[string]manifest.Check{
		"input: a":                  {Integrity: true},
		"input: a\nboot_test: true": {Enabled: true, Integrity: true, BootTest: true},
		"input: a\nboot_test: true\nrequire_boot: true":                                              {Enabled: true, Integrity: true, BootTest: true, BootRequire: true},
		"input: a\nrequire_boot: true":                                                               {Integrity: true},
		"input: a\nvalidate: false\nboot_test: true":                                                 {Integrity: true, BootTest: true},
		"version: 1.0\npipeline: {load: {source_path: a}, validate: {check_image_integrity: false}}": {},
	} {
		if got := one(t, text).Resolve(off).Check; got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

// TestAsked: only what the manifest says is asked for, whatever the value, and all of it is.
func TestAsked(t *testing.T) {
	full := `version: "1.0"
name: x
vm: {cpu: 1, mem_mb: 512, firmware: uefi, secureboot: false, os_hint: linux, os_version: Debian}
nics: [{mac: 00-50-56-AB-CD-EF}]
options: {dry_run: false}
pipeline:
  load: {source_type: vmdk, source_path: a}
  inspect: {enabled: false, detect_os: false}
  fix:
    enabled: false
    fstab: {enabled: false, mode: noop}
    grub: {enabled: false}
    initramfs: {enabled: false}
    network: {enabled: false, fix_level: moderate}
    remove_vmware_tools: false
  convert: {output_format: qcow2, compress: true, compression: zstd, compress_level: 12, flatten: false, output_path: /o/x.qcow2}
  validate: {enabled: true, check_image_integrity: false, boot_test: true, require_boot: false}
`
	job := one(t, full).Resolve(manifest.ProductDefaults())
	want := "name source.type dry_run machine.cpus machine.memory_mib machine.firmware machine.secure_boot machine.os_hint machine.os_version machine.nics " +
		"inspect inspect.detect_os fix fix.fstab fix.fstab_mode fix.grub fix.initramfs fix.network fix.network_level fix.remove_vmware_tools " +
		"convert.format convert.compress convert.compression convert.level convert.flatten convert.output_dir convert.output_name " +
		"validate validate.integrity validate.boot_test validate.boot_require"
	asked := manifest.Asked{}
	for path := range strings.FieldsSeq(want) {
		asked[path] = true
	}
	if !reflect.DeepEqual(job.Asked, asked) {
		t.Errorf("got %v\nwant %v", job.Asked, asked)
	}
	if mac := job.Machine.NICs[0].MAC; mac != "00:50:56:ab:cd:ef" {
		t.Errorf("MAC %s", mac)
	}
	if got := one(t, "input: a").Resolve(manifest.ProductDefaults()).Asked; len(got) != 0 {
		t.Errorf("nothing was asked for, got %v", got)
	}
	if got := manifest.FromFiles("web.01.ova", "web.01.ova"); got.Name != "web.01" || len(got.Resolve(manifest.ProductDefaults()).Asked) != 0 {
		t.Errorf("lone source: %+v", got)
	}
}

// TestArtifact reads everything that the full example says.
func TestArtifact(t *testing.T) {
	b := examples(t)["artifact-manifest-full.json"]
	drafts, _ := manifest.Load("a.json", b)
	j := drafts[0].Resolve(manifest.ProductDefaults())
	d := j.Source.Disks
	if len(d) != 2 || d[0].ID != "boot-disk" || d[0].Bytes != 107374182400 || d[0].Role != "boot" || *d[0].BootOrder != 0 || *d[1].BootOrder != 1 ||
		len(d[0].SHA256) != 64 || d[1].SHA256 != "" || d[1].Format != "vmdk" {
		t.Errorf("disks %+v", d)
	}
	if j.Machine.CPUs != 4 || j.Machine.MemoryMiB != 16384 || j.Machine.Firmware != "uefi" || *j.Machine.SecureBoot || j.Machine.NICs[0].Network != "VM Network" {
		t.Errorf("machine %+v", j.Machine)
	}
	if o := j.Origin; o.Provider != "vsphere" || o.ExportedAt.Year() != 2026 || len(o.Notes) != 1 || o.Warnings[0].Message != "CBT was off" || o.ExportJob != "job-7" {
		t.Errorf("origin %+v", o)
	}
	if j.Convert.OutputDir != "/srv/kvm/web01" || j.Convert.Level != 6 || j.Tags["env"] != "prod" || j.DryRun {
		t.Errorf("job %+v", j)
	}
}

// TestNames: which names are allowed, and what becomes of the others.
func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"web01": true, "web 01.example.com": true, "日本": true, "a~2": true, strings.Repeat("x", 200): true,
		"": false, ".": false, "..": false, ".x": false, "-x": false, "a/b": false, `a\b`: false, "a\x00": false, "a\nb": false, "a\u202eb": false, "a\xff": false,
		" a": false, "a ": false, strings.Repeat("x", 201): false,
	} {
		if err := manifest.ValidName(name); (err == nil) != ok || (err != nil && !errors.Is(err, manifest.ErrName)) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	for file, want := range map[string]string{
		"my-vm.vmdk": "my-vm", "/srv/x/web01.example.com.VMDK": "web01.example.com", "web01.example.com": "web01.example.com", "a.tar": "a.tar", ".vmdk": "_vmdk",
		"": "_", "a\nb.ova": "a_b", "-x.raw": "_x", " x .img": "x", `C:\vms\db.vhdx`: "db", "x.job": "x", "d.img.gz": "d", "D.RAW.XZ": "D", "a.b.zst": "a.b", ".gz": "_gz", strings.Repeat("é", 150) + ".ova": strings.Repeat("é", 100),
	} {
		if got := manifest.NameFor(file); got != want {
			t.Errorf("%q: got %q, want %q", file, got, want)
		}
	}
}
