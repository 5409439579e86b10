package linux

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guesttest"
)

// depOf is a modules.dep of a kernel whose virtio_pci stands on a module of its own.
const depOf = `kernel/virtio.ko:
kernel/virtio_ring.ko: kernel/virtio.ko
kernel/virtio_pci_modern_dev.ko:
kernel/virtio_pci.ko: kernel/virtio_pci_modern_dev.ko kernel/virtio_ring.ko kernel/virtio.ko
kernel/virtio_blk.ko: kernel/virtio_ring.ko kernel/virtio.ko
kernel/sd_mod.ko: kernel/t10.ko
kernel/t10.ko:
kernel/virtio_scsi.ko: kernel/virtio_ring.ko kernel/virtio.ko
kernel/virtio_net.ko: kernel/net_failover.ko kernel/virtio_ring.ko kernel/virtio.ko
kernel/net_failover.ko:
`

const core = "virtio virtio_ring virtio_pci virtio_pci_modern_dev "

func TestVirtio(t *testing.T) {
	for _, tc := range []struct {
		name, early, builtin, dep, config string
		block, scsi, net                  bool
		why                               string
	}{
		{name: "all in the initramfs", early: core + "virtio_blk virtio_scsi sd_mod t10 virtio_net net_failover", dep: depOf, block: true, scsi: true, net: true, why: "in the kernel's initramfs or built in"},
		{name: "network later", early: core + "virtio_blk", dep: depOf, block: true, net: true, why: "built in"},
		{name: "no driver of SCSI disks", early: core + "virtio_blk virtio_scsi sd_mod", dep: depOf, block: true, net: true, why: "built in"},
		{name: "block alone", early: "virtio_blk", dep: depOf, net: true, why: "virtio_blk without virtio_ring, virtio, virtio_pci"},
		{name: "modern_dev missing", early: "virtio virtio_ring virtio_blk virtio_pci", dep: depOf, net: true, why: "virtio_pci without virtio_pci_modern_dev"},
		{name: "modern_dev built in", early: "virtio virtio_ring virtio_blk virtio_pci", builtin: "virtio_pci_modern_dev", dep: depOf, block: true, net: true, why: "built in"},
		{name: "pci built in, block not early", builtin: "virtio virtio_ring virtio_pci", dep: depOf, net: true, why: "the initramfs of kernel 6.1 lacks virtio_blk"},
		{name: "all built in", builtin: "virtio virtio_ring virtio_pci virtio_blk", block: true, why: "built in"},
		{name: "no modules.dep: the core is asked for", early: "virtio_blk virtio_pci virtio", why: "virtio_blk without virtio_ring"},
		{name: "by configuration", early: "virtio_blk", config: "CONFIG_VIRTIO=y\nCONFIG_VIRTIO_PCI=y\nCONFIG_VIRTIO_BLK=m\n", block: true, why: "built in"},
		{name: "none", dep: "kernel/sd_mod.ko:\n", why: "kernel 6.1 has no virtio_blk, virtio_pci"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree := guesttest.NewTree()
			tree.Text("/boot/vmlinuz-6.1", "kernel")
			tree.Text("/lib/modules/6.1/kernel/x", "")
			text := "#initramfs gzip\ninit=x\n"
			for m := range strings.FieldsSeq(tc.early) {
				text += "lib/modules/6.1/kernel/" + m + ".ko\n"
			}
			tree.Text("/boot/initrd.img-6.1", text)
			if tc.dep != "" {
				tree.Text("/lib/modules/6.1/modules.dep", tc.dep)
			}
			if tc.config != "" {
				tree.Text("/boot/config-6.1", tc.config)
			} else {
				builtin := ""
				for m := range strings.FieldsSeq(tc.builtin) {
					builtin += "kernel/" + m + ".ko\n"
				}
				tree.Text("/lib/modules/6.1/modules.builtin", builtin)
			}
			fillImages(t, tree)
			r, err := Virtio(t.Context(), tree, inspected(t, tree, guest.System{}))
			if err != nil {
				t.Fatal(err)
			}
			if r.Block != tc.block || r.SCSI != tc.scsi || r.Net != tc.net || !strings.Contains(r.Why, tc.why) {
				t.Errorf("found %+v", r)
			}
		})
	}
}

func TestVirtioOverKernels(t *testing.T) {
	tree := dracutGuest(t, "")
	tree.Text("/boot/vmlinuz-2.6.18-1.el5xen", "kernel") // runs on Xen alone
	tree.Text("/lib/modules/5.9.0/modules.dep", "")      // has no image
	system := inspected(t, tree, guest.System{})
	r, err := Virtio(t.Context(), tree, system)
	if err != nil || r.Block || len(r.Kernels) != 1 || !slices.Equal(r.Kernels[0].Later, []string{"virtio_blk", "virtio_pci"}) {
		t.Errorf("found %+v, %v", r, err)
	}
	tree.Text("/boot/initramfs-5.14.0.img", "this is no image")
	r, err = Virtio(t.Context(), tree, system)
	if err != nil || r.Block || r.Kernels[0].Error == "" || !strings.Contains(r.Why, "cannot be read") {
		t.Errorf("found %+v, %v", r, err)
	}
	if r, err = Virtio(t.Context(), tree, guest.System{}); err != nil || r.Block || r.Why != "no installed kernel was found" {
		t.Errorf("found %+v, %v", r, err)
	}
}

func TestCompareVersions(t *testing.T) {
	rising := []string{
		"2.6.18-8.el5", "2.6.18-398.el5", "2.6.32-754.el6.x86_64", "3.0.101-63-default", "5.9.16-200.fc33.x86_64", "5.14.0~rc2-1", "5.14.0-rc3",
		"5.14.0", "5.14.0-70.el9", "5.14.0-427.el9", "5.14.0-427.13.1.el9", "6.1.0-9-amd64", "6.1.0-18-amd64", "6.1.0-18-cloud-amd64", "6.10.2",
	}
	for i := range rising {
		for j := range rising {
			got := compareVersions(rising[i], rising[j])
			if want := (i - j); got < 0 != (want < 0) || got > 0 != (want > 0) {
				t.Errorf("%s against %s: %d", rising[i], rising[j], got)
			}
		}
	}
}

// TestCompareVersionsIsAnOrder: sorting relies on it.
func TestCompareVersionsIsAnOrder(t *testing.T) {
	version := rapid.StringMatching(`[0-9a-c~.rc-]{0,8}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := version.Draw(t, "a"), version.Draw(t, "b"), version.Draw(t, "c")
		if compareVersions(a, b) != -compareVersions(b, a) || compareVersions(a, a) != 0 {
			t.Fatal("not antisymmetric")
		}
		if compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0 && compareVersions(a, c) > 0 {
			t.Fatal("not transitive")
		}
	})
}

// TestConfiguringTwice: what an edit of a tool's configuration has added it finds again, whatever else stands there.
func TestConfiguringTwice(t *testing.T) {
	modules := []string{"virtio_pci", "virtio_blk"}
	configs := map[string]string{
		"dracut": dracutConfig, "initramfs-tools": debianModules, "mkinitcpio": "/etc/mkinitcpio.conf", "mkinitfs": "/etc/mkinitfs/mkinitfs.conf",
		"booster": boosterConfig, "make-initrd": "/etc/initrd.mk", "mkinitrd": hostAdapterConfig,
	}
	line := rapid.SampledFrom([]string{
		"MODULES=()", "MODULES=(virtio_blk\n a )", `MODULES="x"`, "MODULES+=(b)", "modules: a", "modules:", "modules: virtio-blk # c", "# MODULES=()",
		"MODULES_ADD += a", "MODULES_ADD = virtio_pci", "features=\"base\"", "features=", "alias scsi_hostadapter x", "virtio_blk", "virtio-pci x", "",
		"MODULES=(", "HOOKS=(base)",
	})
	for _, tool := range imageTools() {
		rapid.Check(t, func(rt *rapid.T) {
			tree := guesttest.NewTree()
			text := strings.Join(rapid.SliceOfN(line, 0, 4).Draw(rt, "lines"), "\n")
			tree.Text(configs[tool.kind], text)
			var p guest.Proposal
			if err := tool.configure(t.Context(), tree, modules, &p); err != nil {
				rt.Fatal(err)
			}
			if _, err := guest.Apply(t.Context(), tree, p.Changes, noJournal{}, time.Now); err != nil {
				rt.Fatal(err)
			}
			var again guest.Proposal
			if err := tool.configure(t.Context(), tree, modules, &again); err != nil {
				rt.Fatal(err)
			}
			if len(again.Changes) > 0 {
				rt.Fatalf("%s: %q became\n%s\nand then\n%s", tool.kind, text, p.Changes[0].After.Data, again.Changes[0].After.Data)
			}
		})
	}
}
