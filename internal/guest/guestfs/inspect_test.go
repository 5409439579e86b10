package guestfs

import (
	"slices"
	"testing"

	"hyper2kvm/internal/guest"
)

func TestJournals(t *testing.T) {
	s, _ := fakeSession(t, "well")
	on := func(device, kind string) volume { return volume{Volume: guest.Volume{Device: device, Type: kind}} }
	warnings, err := s.journals(t.Context(), []volume{on("/dev/clean", "ext4"), on("/dev/unclean", "xfs"), on("/dev/unclean", "ext3")})
	if err != nil || len(warnings) != 1 || !hasWarning(warnings, "/dev/unclean was not unmounted") {
		t.Errorf("%v %v", warnings, err)
	}
}

func TestAsleep(t *testing.T) {
	for family, want := range map[string]bool{guest.FamilyLinux: true, guest.FamilyWindows: false} {
		in := Inspection{System: guest.System{Family: family, Volumes: []guest.Volume{{Device: "/dev/sda1", Type: "ext4"}, {Device: "/dev/sda2", Type: "swsuspend"}}}}
		in.asleep()
		if in.System.Hibernated != want || in.System.Volumes[1].Type != "swap" || !hasWarning(in.Warnings, "/dev/sda2 holds a hibernated system") {
			t.Errorf("%s: %+v", family, in)
		}
	}
}

func TestAlias(t *testing.T) {
	all, err := parseVolumes(lsblkSample, 3)
	if err != nil {
		t.Fatal(err)
	}
	shown := contents(all)
	alias(shown, all, "# name device\ncrypt1 /dev/sdc none luks\nbad/name /dev/sdc none\nnone /dev/sdz1 none\nshort\n")
	opened := slices.IndexFunc(shown, func(v guest.Volume) bool { return v.Device == "/dev/mapper/luks-1" })
	if got := shown[opened].Names; !slices.Equal(got, []string{"/dev/mapper/crypt1"}) {
		t.Errorf("names %q", got)
	}
}

func TestVolumeFlags(t *testing.T) {
	for text, want := range map[string]string{
		"Volume Information \n\tVolume State: 91\n\tVolume Flags: 0x0001\n\tVolume Version: 3.1\n": "0001", "nothing": "",
		"\tVolume Version:\t\t 3.1\n\tVolume Flags:\t\t DIRTY (0x0001)\n": "0001", "\tVolume Flags:\t\t (none set) (0x0000)\n": "0000",
	} {
		m := volumeFlags.FindStringSubmatch(text)
		if got := append(m, "", "")[1]; got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
