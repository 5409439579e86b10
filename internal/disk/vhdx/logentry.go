package vhdx

import "encoding/binary"

// Log entry (2.3.1), whole sectors of 4 KiB that may wrap around the end of the ring: descriptor sectors, then a data sector for
// each data descriptor. The header is the first 64 bytes of the first sector:
//
//	 0  4  "loge"                24  4  descriptor count
//	 4  4  CRC-32C of the entry  32 16  LogGuid
//	 8  4  entry length          48  8  flushed file offset
//	12  4  tail                  56  8  last file offset
//	16  8  sequence number
//
// Descriptors have 32 bytes:
//
//	zero: "zero", 4 reserved, 8 length, 8 file offset, 8 sequence number
//	data: "desc", 4 last bytes of the sector, 8 first bytes of the sector, 8 file offset, 8 sequence number
//
// A data sector is "data", the high half of the sequence number, bytes 8 to 4091 of the content, and the low half.
const (
	logSector         = 4 << 10
	entryHeaderBytes  = 64
	descriptorBytes   = 32
	entrySignature    = "loge"
	zeroSignature     = "zero"
	dataSignature     = "desc"
	sectorSignature   = "data"
	sectorLeading     = 8
	sectorTrailing    = 4
	perFirstSector    = (logSector - entryHeaderBytes) / descriptorBytes
	descriptorsSector = logSector / descriptorBytes
)

// entry is the header of a valid log entry.
type entry struct {
	at       int64 // in the log
	length   int64
	tail     int64 // in the log
	sequence uint64
	count    int64  // descriptors
	flushed  uint64 // the file had at least this size
	last     uint64 // the file must get at least this size
}

// ring is the log in memory.
type ring []byte

func (r ring) size() int64 { return int64(len(r)) }

// piece returns n bytes from at on, wrapping around; n is at most the size.
func (r ring) piece(at, n int64) []byte {
	if at+n <= r.size() {
		return r[at : at+n]
	}
	b := make([]byte, 0, n)
	b = append(b, r[at:]...)
	return append(b, r[:n-int64(len(b))]...)
}

// header reads the header of an entry at a sector; false if it is not one that could be valid. The checksum is not looked at.
func (r ring) header(at int64, guid GUID) (entry, bool) {
	b, le := r[at:at+entryHeaderBytes], binary.LittleEndian
	e := entry{
		at: at, length: int64(le.Uint32(b[8:])), tail: int64(le.Uint32(b[12:])), sequence: le.Uint64(b[16:]),
		count: int64(le.Uint32(b[24:])), flushed: le.Uint64(b[48:]), last: le.Uint64(b[56:]),
	}
	ok := string(b[:4]) == entrySignature && GUID(b[32:48]) == guid && e.sequence != 0 &&
		e.length > 0 && e.length <= r.size() && e.length%logSector == 0 &&
		e.tail < r.size() && e.tail%logSector == 0 &&
		e.descriptorSectors()*logSector <= e.length &&
		e.flushed <= maxFileBytes && e.last <= maxFileBytes
	return e, ok
}

// descriptorSectors returns how many sectors the header and the descriptors take.
func (e entry) descriptorSectors() int64 {
	return (e.count + (descriptorsSector - perFirstSector) + descriptorsSector - 1) / descriptorsSector
}

// write is one change that an entry makes to the file.
type write struct {
	off, n int64
	data   []byte // the sector as it is in the log; nil for zeroes
	desc   []byte // the descriptor
}

// writes returns what an entry does, in order; false if a part of it is not of this entry.
func (e entry) writes(b []byte) ([]write, bool) {
	le := binary.LittleEndian
	sectors := b[e.descriptorSectors()*logSector:]
	out := make([]write, 0, e.count)
	for i := range e.count {
		d := b[entryHeaderBytes+i*descriptorBytes:][:descriptorBytes]
		off := le.Uint64(d[16:])
		w := write{off: int64(off), n: logSector, desc: d}
		if off%logSector != 0 || off > maxFileBytes-logSector || le.Uint64(d[24:]) != e.sequence {
			return nil, false
		}
		switch string(d[:4]) {
		case zeroSignature:
			n := le.Uint64(d[8:])
			if n%logSector != 0 || n > maxFileBytes-off {
				return nil, false
			}
			w.n = int64(n)
		case dataSignature:
			if len(sectors) < logSector {
				return nil, false
			}
			w.data, sectors = sectors[:logSector], sectors[logSector:]
			if string(w.data[:4]) != sectorSignature || le.Uint32(w.data[4:]) != uint32(e.sequence>>32) ||
				le.Uint32(w.data[logSector-sectorTrailing:]) != uint32(e.sequence) {
				return nil, false
			}
		default:
			return nil, false
		}
		out = append(out, w)
	}
	return out, true
}

// content puts a sector together again.
func (w write) content() []byte {
	b := make([]byte, logSector)
	copy(b, w.data)
	copy(b, w.desc[8:8+sectorLeading])
	copy(b[logSector-sectorTrailing:], w.desc[4:4+sectorTrailing])
	return b
}
