package convert

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/manifest"
)

// An absolute source of an owner who is not trusted is reached through no link below its root, and its siblings are looked for
// in the very directory that was opened.
func TestLimitedSources(t *testing.T) {
	top := t.TempDir()
	root := filepath.Join(top, "exports")
	for _, dir := range []string{"exports/a", "secret"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"exports/a/web.raw", "exports/web.raw", "secret/web.raw"} {
		if err := os.WriteFile(filepath.Join(top, name), make([]byte, 4096), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"exports/link": "../secret", "exports/file.raw": "../secret/web.raw", "exports/in": "a", "rootlink": "exports"} {
		if err := os.Symlink(to, filepath.Join(top, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ root, path, code string }{
		{root, root + "/a/web.raw", ""},
		{root, root + "/web.raw", ""},
		{top + "/rootlink", top + "/rootlink/a/web.raw", ""}, // the administrator's own link
		{root, root + "/link/web.raw", manifest.CodePolicyPath},
		{root, root + "/in/web.raw", manifest.CodePolicyPath},
		{root, root + "/file.raw", manifest.CodeSourceNotRegular},
		{root, top + "/secret/web.raw", manifest.CodePolicyPath},
		{root, root + "/none/web.raw", manifest.CodeSourceMissing},
		{root, root + "/a/none.raw", manifest.CodeSourceMissing},
		{root, root + "/web.raw/x.raw", manifest.CodePolicyPath},
	} {
		req := Request{Files: map[string]string{c.path: c.path}, Roots: map[string]string{c.path: c.root}}
		req.Job.Source.Disks = []manifest.SourceDisk{{Path: c.path}}
		opened, facts, err := Gather(t.Context(), req)
		switch {
		case c.code == "" && err != nil:
			t.Errorf("%s: %v", c.path, err)
		case c.code == "":
			if len(facts.Disks) != 1 || facts.Disks[0].VirtualSize != 4096 {
				t.Errorf("%s: %+v", c.path, facts)
			}
			opened.Close()
		case err == nil:
			opened.Close()
			t.Errorf("%s was opened", c.path)
		default:
			f := Failure(StageLoad, err)
			if f.Code != c.code || strings.Contains(f.Message, "/proc/") {
				t.Errorf("%s: %s %s, want %s", c.path, f.Code, f.Message, c.code)
			}
		}
	}
}

func TestOpenDirBelow(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	for rel, want := range map[string]error{
		".": nil, "a": nil, "a/b": nil, "a/./b": nil, "a/../a": nil, "..": disk.ErrOutside, "../x": disk.ErrOutside, "/etc": disk.ErrOutside, "a/c": disk.ErrMissing,
	} {
		dir, err := OpenDirBelow(root, rel)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", rel, err, want)
		}
		if err != nil {
			continue
		}
		if _, err := os.Stat(DirPath(dir)); err != nil {
			t.Errorf("%s: %v", rel, err)
		}
		dir.Close()
	}
}

// A VMX that names a disk in a folder beside it does not make anybody look behind a link in that folder.
func TestCompanionsThroughALink(t *testing.T) {
	dir, secret := t.TempDir(), t.TempDir()
	flat := "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\nRW 8 FLAT \"hidden-name-flat.vmdk\" 0\n"
	for name, content := range map[string]string{
		filepath.Join(secret, "a.vmdk"): flat, filepath.Join(dir, "own", "a.vmdk"): flat,
		filepath.Join(dir, "vm.vmx"): ".encoding = \"UTF-8\"\nconfig.version = \"8\"\nscsi0.present = \"TRUE\"\nscsi0:0.present = \"TRUE\"\nscsi0:0.fileName = \"sub/a.vmdk\"\n" +
			"scsi0:1.present = \"TRUE\"\nscsi0:1.fileName = \"own/a.vmdk\"\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := Companions(t.Context(), filepath.Join(dir, "vm.vmx"))
	if err != nil || strings.Join(names, " ") != "own/a.vmdk own/hidden-name-flat.vmdk sub/a.vmdk" {
		t.Fatalf("%q, %v", names, err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	if names, err = Companions(t.Context(), filepath.Join(dir, "vm.vmx")); err == nil || strings.Contains(strings.Join(names, " ")+err.Error(), "sub/hidden") {
		t.Errorf("followed: %q, %v", names, err)
	}
}
