package vhdx

import (
	"encoding/binary"
	"fmt"

	"hyper2kvm/internal/disk"
)

// header is one of the two headers (2.2.2):
//
//	 0  4  "head"                      32 16  DataWriteGuid
//	 4  4  CRC-32C of the 4 KiB        48 16  LogGuid, zero = nothing to replay
//	 8  8  sequence number             64  2  log version, 0
//	16 16  FileWriteGuid               66  2  version, 1
//	                                   68  4  log length
//	                                   72  8  log offset
type header struct {
	sequence   uint64
	fileWrite  GUID // changes with every change of the file
	dataWrite  GUID // changes with every change of the disk's content: what a child is linked to
	log        GUID
	logVersion uint16
	version    uint16
	logLength  uint32
	logOffset  uint64
}

const headerSignature = "head"

// parseHeader reads a header. why is empty if its signature and checksum are right.
func parseHeader(b []byte) (h header, why string) {
	if string(b[:4]) != headerSignature {
		return header{}, fmt.Sprintf("%q is not there", headerSignature)
	}
	le := binary.LittleEndian
	if want, got := le.Uint32(b[4:]), checksum(b); want != got {
		return header{}, fmt.Sprintf("checksum is %#x, the content gives %#x", want, got)
	}
	return header{
		sequence: le.Uint64(b[8:]), fileWrite: GUID(b[16:32]), dataWrite: GUID(b[32:48]), log: GUID(b[48:64]),
		logVersion: le.Uint16(b[64:]), version: le.Uint16(b[66:]), logLength: le.Uint32(b[68:]), logOffset: le.Uint64(b[72:]),
	}, ""
}

func (h header) encode() []byte {
	b := make([]byte, headerBytes)
	le := binary.LittleEndian
	copy(b, headerSignature)
	le.PutUint64(b[8:], h.sequence)
	copy(b[16:], h.fileWrite[:])
	copy(b[32:], h.dataWrite[:])
	copy(b[48:], h.log[:])
	le.PutUint16(b[64:], h.logVersion)
	le.PutUint16(b[66:], h.version)
	le.PutUint32(b[68:], h.logLength)
	le.PutUint64(b[72:], h.logOffset)
	le.PutUint32(b[4:], checksum(b))
	return b
}

// readHeaders returns the current header, and what is wrong with the other one. Of two with the same number either is current.
func readHeaders(src *source) (h header, note string, err error) {
	const op = "read header"
	var heads [2]header
	var why [2]string
	b := make([]byte, headerBytes)
	for i, at := range [2]int64{headerOffset1, headerOffset2} {
		if err := src.readFull(op, b, at); err != nil {
			return header{}, "", err
		}
		heads[i], why[i] = parseHeader(b)
	}
	switch {
	case why[0] != "" && why[1] != "":
		return header{}, "", fault(disk.ErrCorrupt, op, src.name(), headerOffset1, "%s; the second at %#x: %s", why[0], headerOffset2, why[1])
	case why[0] != "":
		h, note = heads[1], "the first header is damaged, the second was used"
	case why[1] != "":
		h, note = heads[0], "the second header is damaged, the first was used"
	case heads[1].sequence > heads[0].sequence:
		h = heads[1]
	default:
		h = heads[0]
	}
	return h, note, h.check(src)
}

// check holds the fields against the specification.
func (h header) check(src *source) error {
	const op = "read header"
	switch {
	case h.version != 1:
		return fault(disk.ErrUnsupported, op, src.name(), noOffset, "version is %d, only 1 is known", h.version)
	case h.hasLog() && h.logVersion != 0:
		return fault(disk.ErrUnsupported, op, src.name(), noOffset, "version of the log is %d, only 0 is known", h.logVersion)
	case h.logOffset%mib != 0 || h.logLength%mib != 0:
		return fault(disk.ErrCorrupt, op, src.name(), noOffset, "log of %#x bytes at %#x; multiples of 1 MiB are needed", h.logLength, h.logOffset)
	case h.logOffset > maxFileBytes:
		return fault(disk.ErrCorrupt, op, src.name(), noOffset, "log at %#x; at most %#x is accepted", h.logOffset, int64(maxFileBytes))
	case h.hasLog() && (h.logLength == 0 || h.logOffset < headerSectionBytes):
		return fault(disk.ErrCorrupt, op, src.name(), noOffset, "log of %#x bytes at %#x must be replayed; it must lie behind the first MiB", h.logLength, h.logOffset)
	}
	return nil
}

// hasLog says whether there is a log to replay.
func (h header) hasLog() bool { return h.log != GUID{} }
