package machine

import (
	"cmp"
	"slices"
)

// busRank is the order in which a guest of VMware or VirtualBox meets the controllers on its PCI bus: IDE sits in the south
// bridge, parallel SCSI in the slots behind it, SATA and NVMe behind bridges. It decides which disk comes first where a
// machine mixes buses; which disk boots is found by evidence.
var busRank = map[Bus]int{BusIDE: 0, BusSCSI: 1, BusSATA: 2, BusNVMe: 3, BusVirtio: 4, BusUnknown: 5}

// SortDisks brings disks into the order in which the guest sees them: by bus, controller, address. Disks that share an
// address keep their order.
func SortDisks(disks []Disk) {
	slices.SortStableFunc(disks, func(a, b Disk) int {
		return cmp.Or(cmp.Compare(busRank[a.Bus], busRank[b.Bus]), cmp.Compare(a.Controller, b.Controller), cmp.Compare(a.Unit, b.Unit))
	})
}
