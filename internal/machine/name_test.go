package machine

import (
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestRelativeName(t *testing.T) {
	for in, want := range map[string]string{
		"a.vmdk": "a.vmdk", "./a.vmdk": "a.vmdk", "dir//./a": "dir/a", "a/": "a", "..a": "..a", "a..": "a..", "disk: 1": "disk: 1", "虚拟机-1.vmdk": "虚拟机-1.vmdk",
	} {
		if got, err := RelativeName(in); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ".", "./", "/", "/a", "..", "../a", "a/..", "a/../b", `a\b`, `C:\a`, "a\x00b", "a\nb", "\x1b[2J", "a\x7f",
		strings.Repeat("a", 256), strings.Repeat("a/", 2048),
	} {
		if got, err := RelativeName(in); !errors.Is(err, ErrMember) || got != "" {
			t.Errorf("%.40q: %q %v", in, got, err)
		}
	}
}

func TestRelativeNameStaysInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"..", ".", "/", "a", `\`, "\x00", "é", "..."})).Draw(t, "parts"), "")
		got, err := RelativeName(in)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Fatalf("the error prints control characters: %q", err)
			}
			return
		}
		if !filepath.IsLocal(got) || got != path.Clean(got) || got == "." {
			t.Fatalf("%q became %q", in, got)
		}
		if again, err := RelativeName(got); err != nil || again != got {
			t.Fatalf("%q is not stable: %q %v", got, again, err)
		}
	})
}

func TestNormalMAC(t *testing.T) {
	for in, want := range map[string]string{
		"00:50:56:AB:cd:EF": "00:50:56:ab:cd:ef", "08002720FB4E": "08:00:27:20:fb:4e", "00-50-56-ab-cd-ef": "00:50:56:ab:cd:ef",
		"": "", "00:00:00:00:00:00": "", "00:50:56:ab:cd": "", "zz:50:56:ab:cd:ef": "", "7": "",
	} {
		if got := NormalMAC(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSortDisks(t *testing.T) {
	disks := []Disk{
		{ID: "nvme", Bus: BusNVMe}, {ID: "s1", Bus: BusSCSI, Controller: 1}, {ID: "s0u10", Bus: BusSCSI, Unit: 10}, {ID: "s0u2", Bus: BusSCSI, Unit: 2},
		{ID: "ide", Bus: BusIDE, Controller: 1, Unit: 1}, {ID: "sata", Bus: BusSATA}, {ID: "?1"}, {ID: "?2"},
	}
	SortDisks(disks)
	var got []string
	for _, d := range disks {
		got = append(got, d.ID)
	}
	if want := []string{"ide", "s0u2", "s0u10", "s1", "sata", "nvme", "?1", "?2"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}
