package daemon

import (
	"archive/tar"
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// zone is a drop zone with an intake over it.
type zone struct {
	t   *testing.T
	dir string
	in  *intake
	s   Settings
}

func newZone(t *testing.T) *zone {
	t.Helper()
	z := &zone{t: t, dir: filepath.Join(t.TempDir(), queue.DirQueued), s: Settings{Mode: ModeDisk, OutputDir: "/var/out"}}
	if err := os.Mkdir(z.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	z.in = &intake{
		settings: func() Settings { return z.s }, trust: trust{self: uint32(os.Getuid())}, clock: time.Now, log: slog.New(slog.DiscardHandler),
	}
	return z
}

// put makes a file; a name that ends in a slash makes a folder.
func (z *zone) put(name, content string) {
	z.t.Helper()
	path := filepath.Join(z.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		z.t.Fatal(err)
	}
	if strings.HasSuffix(name, "/") {
		if err := os.MkdirAll(path, 0o750); err != nil {
			z.t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
		z.t.Fatal(err)
	}
}

// entry is the entry as the queue would show it.
func (z *zone) entry(name string) queue.Entry {
	z.t.Helper()
	path := filepath.Join(z.dir, name)
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		z.t.Fatal(err)
	}
	e := queue.Entry{Name: name, Path: path, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}
	e.Identity = queue.Identity{Dev: st.Dev, Ino: st.Ino, Size: st.Size, MtimeNS: st.Mtim.Nano(), CtimeNS: st.Ctim.Nano(), UID: st.Uid}
	if !e.Dir {
		return e
	}
	err := filepath.WalkDir(path, func(p string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			rel, _ := filepath.Rel(path, p)
			e.Files = append(e.Files, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		z.t.Fatal(err)
	}
	slices.Sort(e.Files)
	return e
}

func (z *zone) examine(name string) queue.Need {
	z.t.Helper()
	need, err := z.in.Examine(z.t.Context(), z.entry(name))
	if err != nil {
		z.t.Fatalf("%s: %v", name, err)
	}
	return need
}

const flatDescriptor = "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 2048 FLAT \"db-flat.vmdk\" 0\n"

// header is the first sectors of a disk with a partition table.
func header() string {
	b := make([]byte, 4096)
	b[450], b[454], b[458], b[510], b[511] = 0x83, 1, 7, 0x55, 0xaa
	return string(b)
}

// sparse is the header of a hosted sparse extent whose tables lie behind the end of the file.
func sparse() string {
	b := make([]byte, 1024)
	copy(b, "KDMV\x01\x00\x00\x00\x03\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00")
	b[28], b[36], b[44] = 1, 20, 0
	b[45], b[46] = 2, 0 // 512 entries in a grain table
	b[48], b[56], b[65] = 0, 0x15, 1
	b[73], b[74], b[75], b[76] = '\n', ' ', '\r', '\n'
	return string(b)
}

func archive(t *testing.T, cut int, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(files[i+1])), Mode: 0o644, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()[:b.Len()-cut]
}

const descriptor = `<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"><References><File ovf:id="f1" ovf:href="vm-disk1.vmdk"/></References><VirtualSystem ovf:id="vm"><Name>vm</Name></VirtualSystem></Envelope>`

// What the intake says of entries, by the files that stand in the drop zone. Exactly one of the words may be set.
func TestIntake(t *testing.T) {
	big := strings.Repeat("x", 2000)
	for _, c := range []struct {
		name  string
		files []string // names and contents
		entry string
		mode  string
		grace time.Duration

		kind    string
		members []string
		parts   int
		hold    string
		wait    string
		ignore  string
		refuse  string // its code
	}{
		{name: "raw disk", files: []string{"web.img", header()}, entry: "web.img", kind: "disk"},
		{name: "raw disk without a table", files: []string{"web.raw", big}, entry: "web.raw", kind: "disk"},
		{name: "upper case ending", files: []string{"WEB.RAW", big}, entry: "WEB.RAW", kind: "disk"},
		{name: "image without an ending", files: []string{"web", sparse()}, entry: "web", kind: "disk"},
		{name: "image without an ending, manifest mode", files: []string{"web", sparse()}, entry: "web", mode: ModeManifest, kind: "disk", hold: "mode is manifest"},
		{name: "truncated image without an ending", files: []string{"web", sparse()}, entry: "web", grace: time.Hour, kind: "disk", wait: "incomplete"},
		{name: "truncated image", files: []string{"web.vmdk", sparse()}, entry: "web.vmdk", grace: time.Hour, kind: "disk", wait: "incomplete"},
		{name: "truncated image after its grace", files: []string{"web.vmdk", sparse()}, entry: "web.vmdk", kind: "disk"},
		{name: "garbage with a disk's ending fails by name later", files: []string{"web.vmdk", big}, entry: "web.vmdk", kind: "disk"},
		{name: "flat descriptor", files: []string{"db.vmdk", flatDescriptor}, entry: "db.vmdk", kind: "disk", members: []string{"db-flat.vmdk"}},
		{name: "flat descriptor, manifest mode", files: []string{"db.vmdk", flatDescriptor}, entry: "db.vmdk", mode: ModeManifest, kind: "disk", hold: "mode is manifest"},
		{name: "flat extent", files: []string{"db-flat.vmdk", big}, entry: "db-flat.vmdk", kind: "disk", hold: "an extent of db.vmdk"},
		{name: "split extent", files: []string{"db-s001.vmdk", big}, entry: "db-s001.vmdk", kind: "disk", hold: "an extent of db.vmdk"},
		{name: "delta of a snapshot", files: []string{"db-000002-delta.vmdk", big}, entry: "db-000002-delta.vmdk", kind: "disk", hold: "an extent of db.vmdk"},
		{name: "change tracking", files: []string{"db-ctk.vmdk", big}, entry: "db-ctk.vmdk", kind: "disk", hold: "an extent of db.vmdk"},
		{name: "no extent, only a dash", files: []string{"db-final.vmdk", big}, entry: "db-final.vmdk", kind: "disk"},
		{name: "second disk beside the first", files: []string{"x_1.vhdx", big, "x.vhdx", big}, entry: "x_1.vhdx", kind: "disk", hold: "further disk of x.vhdx"},
		{name: "second disk without the first", files: []string{"x_1.vhdx", big}, entry: "x_1.vhdx", kind: "disk"},
		{name: "second disk of another format", files: []string{"x_1.vhdx", big, "x.vmdk", big}, entry: "x_1.vhdx", kind: "disk"},
		{name: "compressed disk", files: []string{"x.IMG.gz", "\x1f\x8b\x08\x00" + big}, entry: "x.IMG.gz", kind: "disk"},
		{name: "compressed second disk", files: []string{"x_1.vmdk.gz", big, "x.vmdk.gz", big}, entry: "x_1.vmdk.gz", kind: "disk", hold: "further disk of x.vmdk.gz"},
		{name: "compressed file of unknown content", files: []string{"x.gz", "\x1f\x8b\x08\x00" + big}, entry: "x.gz", ignore: "nor its content"},
		{name: "folder with a compressed disk", files: []string{"vm/d.vmdk.xz", big}, entry: "vm", kind: "folder"},
		{name: "first disk beside the second", files: []string{"x_1.raw", big, "x.raw", big}, entry: "x.raw", kind: "disk"},
		{name: "companions", files: []string{"vm.nvram", big}, entry: "vm.nvram", ignore: "a companion"},
		{name: "a text", files: []string{"readme.txt", "hello"}, entry: "readme.txt", ignore: "neither its name nor its content"},
		{name: "unnamed noise", files: []string{"core", big}, entry: "core", ignore: "neither"},

		{name: "OVA", files: []string{"vm.ova", archive(t, 0, "vm.ovf", descriptor, "vm-disk1.vmdk", big)}, entry: "vm.ova", kind: "ova"},
		{name: "truncated OVA", files: []string{"vm.ova", archive(t, 3000, "vm.ovf", descriptor, "vm-disk1.vmdk", big)}, entry: "vm.ova", grace: time.Hour, kind: "ova", wait: "incomplete"},
		{name: "truncated OVA after its grace", files: []string{"vm.ova", archive(t, 3000, "vm.ovf", descriptor, "vm-disk1.vmdk", big)}, entry: "vm.ova", kind: "ova"},
		{name: "OVA that is none", files: []string{"vm.ova", big}, entry: "vm.ova", kind: "ova"},
		{name: "OVF", files: []string{"vm.ovf", descriptor, "vm.mf", "x"}, entry: "vm.ovf", kind: "ovf", members: []string{"vm-disk1.vmdk", "vm.mf"}},
		{name: "OVF that is none", files: []string{"vm.ovf", "<x"}, entry: "vm.ovf", kind: "ovf"},
		{name: "VMX", files: []string{"vm.vmx", ".encoding = \"UTF-8\"\nconfig.version = \"8\"\nscsi0.present = \"TRUE\"\nscsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"vm.vmdk\"\n"}, entry: "vm.vmx", kind: "vmx", members: []string{"vm.vmdk"}},

		{name: "job config", files: []string{"j.yaml", "input: x.raw\n"}, entry: "j.yaml", kind: "manifest", members: []string{"x.raw"}},
		{name: "job config in JSON", files: []string{"j.json", `{"input": "x.raw"}`}, entry: "j.json", kind: "manifest", members: []string{"x.raw"}},
		{name: "job config of a descriptor", files: []string{"j.yaml", "input: db.vmdk\n", "db.vmdk", flatDescriptor}, entry: "j.yaml", kind: "manifest", members: []string{"db.vmdk", "db-flat.vmdk"}},
		{name: "job config of a truncated disk", files: []string{"j.yaml", "input: web.vmdk\n", "web.vmdk", sparse()}, entry: "j.yaml", grace: time.Hour, kind: "manifest", members: []string{"web.vmdk"}, wait: "incomplete"},
		{name: "job config that names itself", files: []string{"j.yaml", "input: j.yaml\n"}, entry: "j.yaml", kind: "manifest", refuse: manifest.CodeManifestConflict},
		{name: "unknown key", files: []string{"j.yaml", "inptu: x.raw\n"}, entry: "j.yaml", kind: "manifest", refuse: manifest.CodeManifestKey},
		{name: "a path that climbs", files: []string{"j.yaml", "input: ../x.raw\n"}, entry: "j.yaml", kind: "manifest", refuse: manifest.CodePolicyPath},
		{name: "a path into a folder", files: []string{"j.yaml", "input: sub/x.raw\n", "sub/x.raw", big}, entry: "j.yaml", kind: "manifest", refuse: manifest.CodePolicyPath},
		{name: "no YAML", files: []string{"j.yaml", "a: [\n"}, entry: "j.yaml", kind: "manifest", refuse: manifest.CodeManifestSyntax},
		{name: "too large", files: []string{"j.yaml", "# " + strings.Repeat("x", manifest.MaxBytes) + "\ninput: x.raw\n"}, entry: "j.yaml", kind: "manifest", refuse: manifest.CodeManifestLimit},
		{name: "batch", files: []string{"b.yaml", "jobs:\n  - input: a.raw\n  - input: b.raw\n"}, entry: "b.yaml", kind: "batch", members: []string{"a.raw", "b.raw"}, parts: 2},

		{name: "folder with a disk", files: []string{"vm/web.vmdk", big}, entry: "vm", kind: "folder"},
		{name: "folder with a disk further down", files: []string{"vm/disks/web.vhdx", big}, entry: "vm", kind: "folder"},
		{name: "folder with a package", files: []string{"vm/vm.ovf", descriptor, "vm/vm-disk1.vmdk", big}, entry: "vm", kind: "folder"},
		{name: "folder with nothing to convert", files: []string{"vm/readme.txt", big}, entry: "vm", kind: "folder", wait: "nothing to convert"},
		{name: "folder with what a Mac leaves", files: []string{"vm/._web.vmdk", big}, entry: "vm", kind: "folder", wait: "nothing to convert"},
		{name: "folder with its manifest", files: []string{"vm/j.yaml", "input: x.raw\n", "vm/x.raw", big}, entry: "vm", kind: "folder"},
		{name: "folder whose manifest names what is not there", files: []string{"vm/j.yaml", "input: x.raw\n"}, entry: "vm", kind: "folder", wait: `missing ["x.raw"] in the folder`},
		{name: "folder whose manifest names what stands outside", files: []string{"vm/j.yaml", "input: x.raw\n", "x.raw", big}, entry: "vm", kind: "folder", wait: "missing"},
		{name: "folder with a bad manifest", files: []string{"vm/j.yaml", "inptu: x.raw\n", "vm/x.raw", big}, entry: "vm", kind: "folder", refuse: manifest.CodeManifestKey},
		{name: "folder with two manifests", files: []string{"vm/a.yaml", "input: x.raw\n", "vm/b.json", "{}", "vm/x.raw", big}, entry: "vm", kind: "folder", wait: "several manifests"},
		{name: "folder with a batch", files: []string{"vm/a.yaml", "jobs:\n  - input: x.raw\n  - input: y.raw\n", "vm/x.raw", big, "vm/y.raw", big}, entry: "vm", kind: "folder", refuse: manifest.CodeManifestConflict},
		{name: "folder with a manifest further down", files: []string{"vm/sub/a.yaml", "inptu: x\n", "vm/x.raw", big}, entry: "vm", kind: "folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := newZone(t)
			if c.mode != "" {
				z.s.Mode = c.mode
			}
			z.s.TruncatedGrace = c.grace
			for i := 0; i < len(c.files); i += 2 {
				z.put(c.files[i], c.files[i+1])
			}
			need := z.examine(c.entry)
			if need.Kind != c.kind && c.ignore == "" {
				t.Errorf("kind %q, want %q", need.Kind, c.kind)
			}
			if !slices.Equal(need.Members, c.members) {
				t.Errorf("members %q, want %q", need.Members, c.members)
			}
			if len(need.Parts) != c.parts {
				t.Errorf("%d parts, want %d", len(need.Parts), c.parts)
			}
			for what, got := range map[string][2]string{"hold": {need.Hold, c.hold}, "wait": {need.Wait, c.wait}, "ignore": {need.Ignore, c.ignore}} {
				if !strings.Contains(got[0], got[1]) || (got[1] == "") != (got[0] == "") {
					t.Errorf("%s %q, want %q", what, got[0], got[1])
				}
			}
			code, _ := need.Refuse["code"].(string)
			if code != c.refuse || (need.Refuse != nil) != (c.refuse != "") {
				t.Errorf("refused with %q (%v), want %q", code, need.Refuse["error"], c.refuse)
			}
		})
	}
}

// Whose word a manifest is decides about absolute paths: its own owner's, the folder's, and nobody's if others may write it.
func TestWhoseWordAManifestIs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: giving files to other users needs root")
	}
	const alice = 4242
	for _, c := range []struct {
		name         string
		file, folder int // owners; folder -1 = none
		submitter    int // of a part of a batch; 0 = nobody
		mode         os.FileMode
		ok           bool
	}{
		{"root's own", 0, -1, 0, 0o640, true},
		{"alice's", alice, -1, 0, 0o640, false},
		{"root's, and its group may write to it", 0, -1, 0, 0o664, false},
		{"root's, and everybody may write to it", 0, -1, 0, 0o602, false},
		{"a part of alice's batch", 0, -1, alice, 0o640, false},
		{"root's in root's folder", 0, 0, 0, 0o640, true},
		{"root's in alice's folder", 0, alice, 0, 0o640, false},
		{"alice's in root's folder", alice, 0, 0, 0o640, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			z := newZone(t)
			name, entry := "j.yaml", "j.yaml"
			if c.folder >= 0 {
				name, entry = "vm/j.yaml", "vm"
			}
			z.put(name, "input: /etc/secret.raw\n")
			if c.folder >= 0 {
				if err := os.Chown(filepath.Join(z.dir, "vm"), c.folder, -1); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chown(filepath.Join(z.dir, name), c.file, -1); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Join(z.dir, name), c.mode); err != nil {
				t.Fatal(err)
			}
			e := z.entry(entry)
			if c.submitter != 0 {
				e.Identity.UID = uint32(c.submitter)
			}
			need, err := z.in.Examine(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			if (need.Refuse == nil) != c.ok || !c.ok && need.Refuse["code"] != manifest.CodePolicyPath {
				t.Errorf("refused: %v, want allowed %t", need.Refuse, c.ok)
			}
		})
	}
}

// A folder that its owner exchanges for a link while it is looked at leads nowhere.
func TestManifestThroughALink(t *testing.T) {
	z := newZone(t)
	z.put("vm/j.yaml", "input: x.raw\n")
	z.put("vm/x.raw", "x")
	e := z.entry("vm")
	secret := t.TempDir()
	if err := os.WriteFile(filepath.Join(secret, "j.yaml"), []byte("password: hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(z.dir, "vm"), filepath.Join(z.dir, "was")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(z.dir, "vm")); err != nil {
		t.Fatal(err)
	}
	if need, err := z.in.Examine(t.Context(), e); err == nil {
		t.Errorf("it was followed: %+v", need)
	}
}

// What an untrusted manifest may name keeps its limit for the job: the root below which no link is followed.
func TestLimitsOfUntrustedPaths(t *testing.T) {
	top := t.TempDir()
	in := &intake{settings: func() Settings {
		return Settings{ImportRoots: []string{top + "/exports"}, OutputRoots: []string{top + "/srv"}, OutputDir: top + "/out"}
	}, trust: trust{self: 900}}
	for _, dir := range []string{"exports", "srv/real", "out"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(top, "srv", "link")); err != nil {
		t.Fatal(err)
	}
	draft := func(output string) manifest.Draft {
		drafts, problems := manifest.Load("j.yaml", []byte("input: "+top+"/exports/a/web.raw\noutput_dir: "+output+"\n"))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		return drafts[0]
	}
	for output, root := range map[string]string{
		top + "/srv/real/web": top + "/srv", top + "/srv/new/web": top + "/srv", top + "/out/web": top + "/out",
		top + "/srv/link/web": "", top + "/srv/link": "", top + "/out/.partial/x": "", "/etc/web": "",
	} {
		got, err := in.allowed(draft(output), author{uid: 4242})
		if (err == nil) != (root != "") {
			t.Errorf("%s: %v", output, err)
		}
		if err == nil && (got.OutputRoot != root || got.Roots[top+"/exports/a/web.raw"] != top+"/exports") {
			t.Errorf("%s: %+v", output, got)
		}
	}
	if got, err := in.allowed(draft("/etc/web"), author{uid: 900}); err != nil || got.OutputRoot != "" || got.Roots != nil {
		t.Errorf("the daemon's own user is limited: %+v, %v", got, err)
	}
}
