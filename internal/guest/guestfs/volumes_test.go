package guestfs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

// lsblkSample is of an appliance with three drives, the kernel having met the second first, and its own disk last.
const lsblkSample = `NAME="sda" KNAME="sda" HCTL="2:0:1:0" PKNAME="" TYPE="disk" FSTYPE="" UUID="" LABEL="" PARTUUID="" PARTLABEL="" SIZE="2147483648"
NAME="sda1" KNAME="sda1" HCTL="" PKNAME="sda" TYPE="part" FSTYPE="ext4" UUID="bb89abb9-5809-4757-8628-44840fb78c3e" LABEL="BO\x22\x20OT" PARTUUID="d2b8f8da-01" PARTLABEL="" SIZE="209715200"
NAME="sda2" KNAME="sda2" HCTL="" PKNAME="sda" TYPE="part" FSTYPE="LVM2_member" UUID="KIqlGY" LABEL="" PARTUUID="d2b8f8da-02" PARTLABEL="" SIZE="1935671808"
NAME="vg--0-root--fs" KNAME="dm-0" HCTL="" PKNAME="sda2" TYPE="lvm" FSTYPE="ext4" UUID="ce477c8e" LABEL="" PARTUUID="" PARTLABEL="" SIZE="1258291200"
NAME="vg--0-pool_tmeta" KNAME="dm-1" HCTL="" PKNAME="sda2" TYPE="lvm" FSTYPE="" UUID="" LABEL="" PARTUUID="" PARTLABEL="" SIZE="4096"
NAME="sdb" KNAME="sdb" HCTL="2:0:0:0" PKNAME="" TYPE="disk" FSTYPE="" UUID="" LABEL="" PARTUUID="" PARTLABEL="" SIZE="1000"
NAME="sdb1" KNAME="sdb1" HCTL="" PKNAME="sdb" TYPE="part" FSTYPE="LVM2_member" UUID="x" LABEL="" PARTUUID="AA" PARTLABEL="data" SIZE="900"
NAME="vg--0-root--fs" KNAME="dm-0" HCTL="" PKNAME="sdb1" TYPE="lvm" FSTYPE="ext4" UUID="ce477c8e" LABEL="" PARTUUID="" PARTLABEL="" SIZE="1258291200"
NAME="sdc" KNAME="sdc" HCTL="2:0:2:0" PKNAME="" TYPE="disk" FSTYPE="linux_raid_member" UUID="r" LABEL="h:data" PARTUUID="" PARTLABEL="" SIZE="1000"
NAME="md127" KNAME="md127" HCTL="" PKNAME="sdc" TYPE="raid1" FSTYPE="" UUID="" LABEL="" PARTUUID="" PARTLABEL="" SIZE="800"
NAME="md127p1" KNAME="md127p1" HCTL="" PKNAME="md127" TYPE="part" FSTYPE="swap" UUID="s" LABEL="" PARTUUID="" PARTLABEL="" SIZE="700"
NAME="sdd" KNAME="sdd" HCTL="2:0:3:0" PKNAME="" TYPE="disk" FSTYPE="ext2" UUID="b254f2e8" LABEL="" PARTUUID="" PARTLABEL="" SIZE="4294967296"
NAME="luks-1" KNAME="dm-3" HCTL="" PKNAME="sdc" TYPE="crypt" FSTYPE="LVM2_member" UUID="" LABEL="" PARTUUID="" PARTLABEL="" SIZE="700"
NAME="s-r" KNAME="dm-4" HCTL="" PKNAME="dm-3" TYPE="lvm" FSTYPE="xfs" UUID="" LABEL="" PARTUUID="" PARTLABEL="" SIZE="600"
ARRAY /dev/md/data /dev/md127
ARRAY /dev/md/$(reboot) /dev/md127
`

func TestParseVolumes(t *testing.T) {
	all, err := parseVolumes(lsblkSample, 3)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range all {
		got = append(got, fmt.Sprintf("%s disk %d part %d on %v names %v", v.Device, v.Disk, v.Partition, v.disks, v.Names))
	}
	want := []string{
		"/dev/sdb disk 1 part 0 on [1] names []",
		"/dev/sdb1 disk 1 part 1 on [1] names []",
		"/dev/sdb2 disk 1 part 2 on [1] names []",
		"/dev/vg-0/root-fs disk -1 part 0 on [0 1] names [/dev/mapper/vg--0-root--fs]",
		"/dev/sda disk 0 part 0 on [0] names []",
		"/dev/sda1 disk 0 part 1 on [0] names []",
		"/dev/sdc disk 2 part 0 on [2] names []",
		"/dev/md127 disk -1 part 0 on [2] names [/dev/md/data]",
		"/dev/md127p1 disk -1 part 1 on [2] names []",
		"/dev/mapper/luks-1 disk -1 part 0 on [2] names []",
		"/dev/s/r disk -1 part 0 on [2] names [/dev/mapper/s-r]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if all[1].Label != `BO" OT` {
		t.Errorf("label %q", all[1].Label)
	}
	if c := contents(all); len(c) != 8 || slices.ContainsFunc(c, func(v guest.Volume) bool { return v.Device == "/dev/sda" }) {
		t.Errorf("contents %+v", c)
	}
}

func TestResolve(t *testing.T) {
	all, err := parseVolumes(lsblkSample, 3)
	if err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]string{
		"UUID=BB89ABB9-5809-4757-8628-44840FB78C3E": "/dev/sdb1",
		`LABEL=BO" OT`:                           "/dev/sdb1",
		`/dev/disk/by-label/BO\x22\x20OT`:        "/dev/sdb1",
		"PARTUUID=aa":                            "/dev/sda1",
		"PARTLABEL=data":                         "/dev/sda1",
		"PARTLABEL=DATA":                         "",
		"LABEL=":                                 "",
		"/dev/mapper/vg--0-root--fs":             "/dev/vg-0/root-fs",
		"/dev/vg-0/root-fs":                      "/dev/vg-0/root-fs",
		"/dev/disk/by-id/dm-name-vg--0-root--fs": "/dev/vg-0/root-fs",
		"/dev/sdb1":                              "/dev/sdb1",
		"/dev/hda1":                              "/dev/sda1",
		"/dev/xvdb2":                             "/dev/sdb2",
		"/dev/nvme1n1p2":                         "/dev/sdb2",
		"/dev/nvme0n1p1":                         "/dev/sda1",
		"/dev/cciss/c0d1p1":                      "/dev/sdb1",
		"/dev/vdc":                               "/dev/sdc",
		"/dev/sdb3":                              "",
		"/dev/md/data":                           "/dev/md127",
		"/dev/md127p1":                           "/dev/md127p1",
		"/dev/sdzz1":                             "",
		"/dev/disk/by-path/pci-0000-part1":       "",
	} {
		v, found := resolve(spec, all)
		if v.Device != want || (want == "") != (len(found) == 0) {
			t.Errorf("%s: %q of %q, want %q", spec, v.Device, found, want)
		}
	}
}

func TestLetters(t *testing.T) {
	for i := range maxDrives {
		if got := disk(letters(i)); got != i {
			t.Fatalf("disk %d is %q, and that is %d", i, letters(i), got)
		}
	}
	if letters(26) != "aa" || disk("A") != -1 || disk("zzzzzzzzzzzzzzzzzzzzzz") != -1 {
		t.Error(letters(26), disk("A"))
	}
}

func TestSplitMapper(t *testing.T) {
	for name, want := range map[string]string{"vg-lv": "vg/lv", "a--b-c--d": "a-b/c-d", "a---b": "a-/b", "x": "", "-a": "", "a-": "", "a--": ""} {
		g, l, ok := splitMapper(name)
		if got := g + "/" + l; ok != (want != "") || ok && got != want {
			t.Errorf("%s: %s %v", name, got, ok)
		}
	}
}

func TestPlan(t *testing.T) {
	all, err := parseVolumes(lsblkSample, 3)
	if err != nil {
		t.Fatal(err)
	}
	in := Inspection{System: guest.System{Volumes: contents(all)}}
	in.plan(root{volume: all[3], fstab: `# comment
/dev/sda1 /var/lib/x ext4 defaults 0 0
/dev/mapper/vg--0-root--fs / ext4 defaults 0 0
UUID=bb89abb9-5809-4757-8628-44840fb78c3e /boot ext4 defaults 0 2
UUID=bb89abb9-5809-4757-8628-44840fb78c3e /boot ext4 defaults 0 2
UUID=gone /data ext4 defaults 0 0
UUID=gone2 /data2 ext4 noauto 0 0
UUID=s none swap sw 0 0
proc /proc proc defaults 0 0
/srv/a /srv/b none bind 0 0
nas:/x /nas nfs defaults 0 0
//nas/x /nas2 cifs defaults 0 0
tmpfs /tmp tmpfs size=5% 0 0
short /line
`})
	var got []string
	for _, m := range in.System.Mounts {
		got = append(got, m.Point+" "+m.Device)
	}
	if want := []string{"/ /dev/vg-0/root-fs", "/boot /dev/sdb1"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if len(in.Warnings) != 2 || !hasWarning(in.Warnings, "UUID=gone for /data ") || !hasWarning(in.Warnings, "/dev/sda1 for /var/lib/x in fstab is /dev/sda1, which holds LVM2_member") {
		t.Errorf("%v", in.Warnings)
	}
}

func TestChooseSubvolume(t *testing.T) {
	system := func(subvol, named string) root {
		return root{volume: volume{Volume: guest.Volume{Device: "/dev/sda2"}}, subvol: subvol, fstab: "LABEL=x / btrfs " + named + " 0 0\n"}
	}
	for name, c := range map[string]struct {
		found []root
		want  string
		more  int
	}{
		"nothing":                      {nil, "", 0},
		"snapper's default":            {[]root{system("@/.snapshots/9/snapshot", "defaults"), system("@/.snapshots/1/snapshot", "defaults")}, "@/.snapshots/9/snapshot", 1},
		"the fstab names another":      {[]root{system("", "subvol=@"), system("@", "subvol=/@")}, "@", 1},
		"the fstab names what is gone": {[]root{system("root", "subvol=lost"), system("@", "defaults")}, "root", 1},
	} {
		got := chooseSubvolume(c.found)
		if len(c.found) == 0 {
			if got != nil {
				t.Errorf("%s: %v", name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].subvol != c.want || len(got[0].others) != c.more {
			t.Errorf("%s: %+v", name, got)
		}
	}
	paths := map[int]string{5: "", 256: "@", 257: "@/.snapshots/1/snapshot", 300: "@/home", 400: "a"}
	if got := order(paths, 257); !slices.Equal(got, []int{257, 5, 256, 400, 300}) {
		t.Errorf("%v", got)
	}
}

func TestRank(t *testing.T) {
	at := func(disk int, fstab string) root {
		return root{family: guest.FamilyLinux, fstab: fstab, volume: volume{disks: []int{disk}}}
	}
	roots := []root{at(2, ""), at(0, ""), at(3, "x"), at(1, "x")}
	slices.SortStableFunc(roots, func(a, b root) int { return a.rank(-1) - b.rank(-1) })
	if got := []int{roots[0].volume.disks[0], roots[1].volume.disks[0]}; !slices.Equal(got, []int{1, 3}) {
		t.Errorf("nobody knows the disk: %v", got)
	}
	slices.SortStableFunc(roots, func(a, b root) int { return a.rank(2) - b.rank(2) })
	if roots[0].volume.disks[0] != 2 {
		t.Errorf("disk 2 boots: %+v", roots[0])
	}
}
