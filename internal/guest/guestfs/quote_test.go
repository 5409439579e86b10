package guestfs

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/guest"
)

func FuzzCommand(f *testing.F) {
	for _, n := range hostile {
		f.Add(n, "plain")
	}
	f.Add("", "")
	f.Add(strings.Repeat("\n", 2100), "a")
	f.Fuzz(func(t *testing.T, a, b string) {
		line, err := command("lstatns", a, b)
		if err != nil {
			if !strings.Contains(a+b, "\x00") && len(a+b) < 1900 {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		if strings.ContainsAny(line, "\n\r\x00") || len(line) > maxLine {
			t.Fatalf("more than one line, or too long a one: %q", line)
		}
		name, args, err := parseLine("-" + line)
		if err != nil || name != "lstatns" || !slices.Equal(args, []string{a, b}) {
			t.Fatalf("%q is read as %q %q %v", line, name, args, err)
		}
	})
}

func FuzzList(f *testing.F) {
	for _, n := range hostile {
		f.Add(n, "plain", "'")
	}
	f.Add("", "'a", "a'")
	f.Add("''", " ", "\t")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		want := []string{a, b, c}
		text, err := list(want)
		if err != nil {
			for _, s := range want {
				if strings.Contains(s, `\'`) || strings.HasSuffix(s, `\`) {
					return
				}
			}
			t.Fatalf("refused: %v", err)
		}
		got, err := parseList(text)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q is read as %q, want %q (%v)", text, got, want, err)
		}
	})
}

func TestCommandLimits(t *testing.T) {
	if _, err := command("x", strings.Repeat("a", maxLine)); !errors.Is(err, guest.ErrLimit) {
		t.Errorf("a line of %d bytes: %v", maxLine, err)
	}
	if _, err := command("x", make([]string, maxArgs+1)...); !errors.Is(err, guest.ErrLimit) {
		t.Errorf("%d arguments: %v", maxArgs+1, err)
	}
	if _, err := command("x", "a\x00b"); err == nil {
		t.Error("a NUL was taken")
	}
}

func FuzzParseStructs(f *testing.F) {
	f.Add([]byte("[0] = {\n  st_ino: 1\n}\n[1] = {\n  st_ino: -1\n}\n"))
	f.Add([]byte("[0] = {\n  path: }\n}\n"))
	f.Add([]byte("[0] = {\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		structs, err := parseStructs(out)
		if err != nil && structs != nil {
			t.Fatal("something came together with an error")
		}
		if len(structs) > len(out)/9 {
			t.Fatalf("%d structs of %d bytes", len(structs), len(out))
		}
		for _, s := range structs {
			if info, there, err := parseInfo(s); err != nil && there || info.Size < 0 {
				t.Fatalf("%+v %v %v", info, there, err)
			}
		}
	})
}

func FuzzParseVolumes(f *testing.F) {
	f.Add(lsblkSample)
	f.Add(`NAME="a" TYPE="part"`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseVolumes(text, 3)
		if err != nil && all != nil {
			t.Fatal("something came together with an error")
		}
		for _, v := range all {
			if v.Disk >= 3 || v.Size < 0 || v.Device == "" || v.kind == "part" && v.Partition < 1 {
				t.Fatalf("%+v", v)
			}
			for _, d := range v.disks {
				if d < 0 || d >= 3 {
					t.Fatalf("%+v stands on disk %d", v, d)
				}
			}
		}
	})
}

func FuzzFstab(f *testing.F) {
	f.Add("UUID=bb89abb9 /boot ext4 defaults 0 0\n/dev/sda1 /a\\040b ext4 x,subvol=/@ 0 0\n")
	f.Add("LABEL=\"x\" / btrfs subvolid=5\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseVolumes(lsblkSample, 3)
		if err != nil {
			t.Fatal(err)
		}
		in := Inspection{System: guest.System{Volumes: contents(all)}}
		in.plan(root{volume: all[3], fstab: text})
		m := in.System.Mounts
		if len(m) == 0 || m[0].Point != "/" || m[0].Device != all[3].Device {
			t.Fatalf("%+v", m)
		}
		points := map[string]bool{}
		for i, p := range m {
			if points[p.Point] || i > 0 && depth(p.Point) < depth(m[i-1].Point) || checkName("mount", strings.ReplaceAll(p.Point, "\x00", "")) != nil {
				t.Fatalf("%+v", m)
			}
			points[p.Point] = true
			if _, ok := in.System.VolumeByDevice(p.Device); !ok || strings.Contains(strings.TrimPrefix(p.Options, "subvol="), ",") {
				t.Fatalf("%+v", p)
			}
		}
	})
}
