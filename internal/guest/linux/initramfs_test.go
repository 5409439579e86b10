package linux

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
	"hyper2kvm/internal/guest/initramfs/initramfstest"
)

// TestInitramfs runs the cases below testdata/initramfs. A file of a case that begins with "#initramfs METHOD" stands for an image with
// the files that it lists, one a line, with "=" and content; "#uki" is a unified kernel image of such files. The modules that a
// modules.dep names are there. The guest's tool makes an image of all modules of the kernel; /.tool says what else it does.
func TestInitramfs(t *testing.T) {
	guesttest.RunCases(t, "testdata/initramfs", guesttest.Setup{
		Fixers: func(t *testing.T, c guesttest.Case) []guest.Fixer {
			t.Helper()
			o := Options{Initramfs: true}
			if len(c.Options) > 0 {
				if err := json.Unmarshal(c.Options, &o); err != nil {
					t.Fatal(err)
				}
			}
			return initramfsFixers(o)
		},
		Fill: func(t *testing.T, _ guesttest.Case, tree *guesttest.Tree) { t.Helper(); fillImages(t, tree) },
		Inspect: func(t *testing.T, c guesttest.Case, tree *guesttest.Tree) guest.System {
			t.Helper()
			return inspected(t, tree, c.System)
		},
	})
}

func inspected(t *testing.T, tree *guesttest.Tree, system guest.System) guest.System {
	t.Helper()
	if err := Inspect(t.Context(), tree, &system); err != nil {
		t.Fatal(err)
	}
	return system
}

// fillImages makes what the files of a case stand for.
func fillImages(t *testing.T, tree *guesttest.Tree) {
	t.Helper()
	for _, name := range tree.Files() {
		f, _ := tree.Get(name)
		first, rest, _ := strings.Cut(string(f.Data), "\n")
		switch method, image := strings.CutPrefix(first, "#initramfs "); {
		case image:
			f.Data = packed(t, method, listed(rest))
		case first == "#uki":
			f.Data = unifiedImage(initramfstest.Archive(listed(rest)))
		case path.Base(name) == "modules.dep":
			for _, m := range moduleFiles(string(f.Data)) {
				tree.Put(path.Join(path.Dir(name), m), guest.File{Data: []byte("module"), Mode: 0o644})
			}
			continue
		default:
			continue
		}
		tree.Put(name, f)
	}
	tree.OnRun = runTool
}

// listed reads the list of a case's image.
func listed(text string) map[string]string {
	files := map[string]string{}
	for line := range strings.Lines(text) {
		name, content, ok := strings.Cut(strings.TrimRight(line, "\n"), "=")
		if !ok {
			content = "module"
		}
		if name != "" {
			files[name] = content
		}
	}
	return files
}

func moduleFiles(dep string) []string {
	var out []string
	for line := range strings.Lines(dep) {
		if file, _, ok := strings.Cut(line, ":"); ok {
			out = append(out, file)
		}
	}
	return out
}

func packed(t *testing.T, method string, files map[string]string) []byte {
	t.Helper()
	b := initramfstest.Archive(files)
	var out bytes.Buffer
	switch method {
	case "none":
		return b
	case "gzip":
		w := gzip.NewWriter(&out)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	case "zstd":
		w, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		early := initramfstest.Archive(map[string]string{"kernel/x86/microcode/AuthenticAMD.bin": "microcode"})
		return slices.Concat(early, make([]byte, 512), w.EncodeAll(b, nil))
	case "lzo":
		return []byte("\x89LZO\x00\r\n\x1a\n\x10\x30")
	case "broken":
		return b[:len(b)/2]
	default:
		t.Fatalf("no method %q", method)
	}
	return out.Bytes()
}

// unifiedImage is a program for UEFI with one section.
func unifiedImage(initrd []byte) []byte {
	b := make([]byte, 0x400)
	copy(b, "MZ")
	b[0x3c] = 0x40
	copy(b[0x40:], "PE\x00\x00")
	b[0x46] = 1
	copy(b[0x58:], ".initrd")
	binary.LittleEndian.PutUint32(b[0x58+8:], uint32(len(initrd)))
	binary.LittleEndian.PutUint32(b[0x58+16:], uint32(len(initrd)))
	binary.LittleEndian.PutUint32(b[0x58+20:], 0x400)
	return append(b, initrd...)
}

// runTool stands for the guest's tool.
func runTool(tree *guesttest.Tree, c guest.Command) (string, error) {
	var how []byte
	if f, ok := tree.Get("/.tool"); ok {
		how = bytes.TrimSpace(f.Data)
	}
	version := ""
	for _, a := range c.Args {
		if _, ok := tree.Get("/lib/modules/" + strings.TrimPrefix(a, "/boot/vmlinuz-")); ok {
			version = strings.TrimPrefix(a, "/boot/vmlinuz-")
		}
	}
	if version == "" {
		return "no such kernel", guest.ErrCommand
	}
	files := map[string]string{"init": "#!"}
	dep, _ := tree.Get("/lib/modules/" + version + "/modules.dep")
	for _, m := range moduleFiles(string(dep.Data)) {
		if strings.HasPrefix(string(how), "without ") && strings.Contains(m, strings.TrimPrefix(string(how), "without ")) {
			continue
		}
		files[path.Join("lib/modules", version, m)] = "module"
	}
	if i := slices.Index(c.Args, "--kernel-cmdline"); i > 0 {
		files["etc/cmdline.d/01-default.conf"] = c.Args[i+1]
	}
	switch string(how) {
	case "nothing":
	case "most only":
		if f, ok := tree.Get("/etc/initramfs-tools/conf.d/zz-hyper2kvm-build"); !ok || string(f.Data) != "MODULES=most\n" {
			return "mkinitramfs: failed to determine device for /", guest.ErrCommand
		}
		fallthrough
	default:
		tree.Put(c.Makes, guest.File{Data: initramfstest.Archive(files), Mode: fs.FileMode(0o600)})
	}
	return "built", nil
}

// dracutGuest is a guest whose one initramfs lacks virtio, with what its tool does.
func dracutGuest(t *testing.T, how string) *guesttest.Tree {
	t.Helper()
	tree := guesttest.NewTree()
	tree.Text("/boot/vmlinuz-5.14.0", "kernel")
	tree.Text("/boot/initramfs-5.14.0.img", "#initramfs gzip\nlib/modules/5.14.0/kernel/drivers/scsi/mptspi.ko\nlib/modules/5.14.0/kernel/drivers/md/dm-mod.ko\nlib/modules/5.14.0/kernel/drivers/md/raid1.ko\n")
	tree.Text("/lib/modules/5.14.0/modules.dep", "kernel/drivers/md/dm-mod.ko:\nkernel/drivers/block/virtio_blk.ko: \nkernel/drivers/virtio/virtio_pci.ko:\n")
	tree.Text("/lib/modules/5.14.0/modules.builtin", "kernel/drivers/virtio/virtio.ko\nkernel/drivers/virtio/virtio_ring.ko\n")
	tree.Text("/usr/bin/dracut", "#!/bin/bash\n--no-hostonly --kernel-cmdline\n")
	tree.Text("/.tool", how)
	fillImages(t, tree)
	return tree
}

func TestInitramfsFailures(t *testing.T) {
	for _, tc := range []struct {
		name, how string
		room      int64
		want      error
		runs      int
	}{
		{"a tool that ends well and writes nothing", "nothing", 1 << 40, guest.ErrProof, 1},
		{"a tool that leaves the driver out", "without virtio_blk", 1 << 40, guest.ErrProof, 1},
		{"a tool that leaves out what the root stands on", "without dm-mod", 1 << 40, guest.ErrProof, 1},
		{"no room in /boot", "", 1 << 20, guest.ErrSpace, 0},
		{"all well", "", 1 << 40, nil, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree := dracutGuest(t, tc.how)
			tree.Room = tc.room
			before, _ := tree.Get("/boot/initramfs-5.14.0.img")
			system := inspected(t, tree, guest.System{Root: "/dev/vg0/root", Volumes: []guest.Volume{
				{Device: "/dev/sda2", Type: "LVM2_member"}, {Device: "/dev/vg0/root", Disk: -1, Type: "xfs"},
			}})
			work, err := guest.NewWork(t.Context(), system, tree, initramfsFixers(Options{Initramfs: true}))
			if err != nil {
				t.Fatal(err)
			}
			_, err = guest.Apply(t.Context(), tree, work.Changes, noJournal{}, time.Now)
			if !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if len(tree.Ran) != tc.runs {
				t.Errorf("ran %q", tree.Ran)
			}
			after, _ := tree.Get("/boot/initramfs-5.14.0.img")
			if same := bytes.Equal(before.Data, after.Data); same != (tc.want != nil) {
				t.Errorf("the old image is as it was: %v", same)
			}
			if _, there := tree.Get("/var/tmp/hyper2kvm-5.14.0.img"); there {
				t.Error("a built image is left behind")
			}
			ready, err := Virtio(t.Context(), tree, system)
			if err != nil || ready.Block != (tc.want == nil) {
				t.Errorf("ready %+v, %v", ready, err)
			}
		})
	}
}

// TestRescueMayFail: what a rescue kernel lacks does not fail the repair of the others.
func TestRescueMayFail(t *testing.T) {
	tree := dracutGuest(t, "nothing")
	tree.Text("/boot/vmlinuz-0-rescue-0123", "x"+strings.Repeat("\x00", 0x201)+"HdrS"+strings.Repeat("\x00", 8)+"\x20\x00"+strings.Repeat("\x00", 0x10)+"5.14.0 (mock) #1")
	f, _ := tree.Get("/boot/initramfs-5.14.0.img")
	tree.Put("/boot/initramfs-0-rescue-0123.img", f)
	fine := packed(t, "none", map[string]string{"lib/modules/5.14.0/virtio_blk.ko": "x", "lib/modules/5.14.0/virtio_pci.ko": "x"})
	tree.Put("/boot/initramfs-5.14.0.img", guest.File{Data: fine, Mode: 0o600})
	system := inspected(t, tree, guest.System{})
	work, err := guest.NewWork(t.Context(), system, tree, initramfsFixers(Options{Initramfs: true}))
	if err != nil {
		t.Fatal(err)
	}
	done, err := guest.Apply(t.Context(), tree, work.Changes, noJournal{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(done, func(d guest.Done) bool { return d.Run != nil }); i < 0 || done[i].Failed == "" {
		t.Errorf("done %+v", done)
	}
	ready, err := Virtio(t.Context(), tree, system)
	if err != nil || !ready.Block || len(ready.Kernels) != 2 || !ready.Kernels[1].Rescue {
		t.Errorf("ready %+v, %v", ready, err)
	}
}

// noJournal keeps nothing.
type noJournal struct{}

func (noJournal) Log(string) {}

func (noJournal) Keep(context.Context, guest.FS, string) error { return nil }
