package vmdk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"hyper2kvm/internal/disk/disktest"
)

// TestDeltasAgainstQemu has qemu-img read what the builders of the tests lay out: if builder and reader made the same mistake,
// it would say so. Neither knows the other's code.
func TestDeltasAgainstQemu(t *testing.T) {
	for _, kind := range deltaKinds {
		t.Run(kind.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(kind.grain)))
			d := delta{capacity: 40 << 10, grains: map[int64][]byte{}, unused: 5000} // numbers of grains of more than 12 bits
			grains := d.capacity * 512 / kind.grain
			for range 60 {
				g := r.Int64N(grains)
				d.grains[g] = disktest.Random(uint64(g+1), int(kind.grain))
			}
			for g := range grains {
				if kind.zeroes && g%7 == 3 && d.grains[g] == nil && len(d.zero) < 50 {
					d.zero = append(d.zero, g)
				}
			}
			dir := t.TempDir()
			base := disktest.Random(6, int(d.capacity)*512)
			files := flatBase(base)
			files["snap-delta.vmdk"] = kind.build(t, d)
			files["snap.vmdk"] = snapshotOf(kind.createType, "base.vmdk", fmt.Sprintf(`RW %d %s "snap-delta.vmdk"`, d.capacity, kind.extent))
			for name, b := range files {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			raw := filepath.Join(dir, "theirs.raw")
			disktest.QemuImg(t, "convert", "-f", "vmdk", "-O", "raw", filepath.Join(dir, "snap.vmdk"), raw)
			theirs, err := os.ReadFile(raw)
			if err != nil {
				t.Fatal(err)
			}
			if want := d.apply(base, kind.grain); !bytes.Equal(theirs, want) {
				t.Error("qemu-img reads something else than what the builder means")
			}
			if !bytes.Equal(disktest.ReadAll(t, openPath(t, filepath.Join(dir, "snap.vmdk"))), theirs) {
				t.Error("the content differs from what qemu-img reads")
			}
		})
	}
}
