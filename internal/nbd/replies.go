package nbd

import (
	"encoding/binary"
	"strings"

	"hyper2kvm/internal/disk"
)

const (
	simpleLen = 16 // of a simple reply without data ("Simple reply message")
	chunkLen  = 20 // of the head of a chunk ("Structured reply chunk message")
)

// chunkBuffer is the memory of one request: the longest head of a reply, and content behind it.
type chunkBuffer [chunkLen + 8 + chunkBytes]byte

// simple sends a simple reply without data.
func (t *transmission) simple(r request, e errno) {
	t.write(appendSimple(nil, r, e))
}

func appendSimple(b []byte, r request, e errno) []byte {
	b = binary.BigEndian.AppendUint32(b, magicSimple)
	b = binary.BigEndian.AppendUint32(b, uint32(e))
	return binary.BigEndian.AppendUint64(b, r.cookie)
}

// appendChunk appends the head of a chunk with n bytes of payload.
func appendChunk(b []byte, r request, flags, kind uint16, n int) []byte {
	b = binary.BigEndian.AppendUint32(b, magicStructured)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint64(b, r.cookie)
	return binary.BigEndian.AppendUint32(b, uint32(n))
}

// refuse answers with an error. Where structured replies were agreed on, those that must be structured are, and carry a text for the
// client's log.
func (t *transmission) refuse(r request, e errno, text string) {
	if !t.agreed.structured || r.cmd != cmdRead && r.cmd != cmdBlockStatus {
		t.simple(r, e)
		return
	}
	text = strings.ToValidUTF8(disk.Printable(text)[:min(len(disk.Printable(text)), maxErrorText)], "")
	b := appendChunk(nil, r, chunkDone, chunkError, 4+2+len(text))
	b = binary.BigEndian.AppendUint32(b, uint32(e))
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	t.write(append(b, text...))
}
