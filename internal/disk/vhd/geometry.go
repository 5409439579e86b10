package vhd

import "hyper2kvm/internal/disk"

// geometry is a size as Virtual PC counts it.
type geometry struct {
	cylinders      uint16
	heads, sectors uint8
}

// maxGeometry stands for every disk that is larger, about 127 GiB.
var maxGeometry = geometry{65535, 16, 255}

// bytes returns the size in bytes that the geometry stands for.
func (g geometry) bytes() uint64 {
	return uint64(g.cylinders) * uint64(g.heads) * uint64(g.sectors) * disk.SectorSize
}

// newGeometry returns the geometry of a disk of so many sectors, by the algorithm of the specification's appendix, "CHS Calculation".
// It stands for as many sectors or fewer.
func newGeometry(sectors int64) geometry {
	const maxCylinders, maxATA, maxHeads, perHead = 65535, 63, 16, 1024
	sectors = min(sectors, maxCylinders*maxHeads*255)
	var perTrack, heads, tracks int64 // tracks: cylinders times heads
	if sectors >= maxCylinders*maxHeads*maxATA {
		perTrack, heads = 255, maxHeads
		tracks = sectors / perTrack
	} else {
		perTrack = 17
		tracks = sectors / perTrack
		heads = max((tracks+perHead-1)/perHead, 4)
		if tracks >= heads*perHead || heads > maxHeads {
			perTrack, heads = 31, maxHeads
			tracks = sectors / perTrack
		}
		if tracks >= heads*perHead {
			perTrack, heads = maxATA, maxHeads
			tracks = sectors / perTrack
		}
	}
	return geometry{uint16(tracks / heads), uint8(heads), uint8(perTrack)}
}
