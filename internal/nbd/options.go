package nbd

import (
	"encoding/binary"
	"slices"
)

// transmissionFlags are those of the export.
const transmissionFlags = transmitHasFlags | transmitReadOnly | transmitFlush | transmitMultiConn

// exportName answers NBD_OPT_EXPORT_NAME, after which the transmission begins. Its data is the name, and it knows no error.
func (n *negotiation) exportName(name []byte) error {
	if len(name) != 0 {
		return protocolError("an export named %.64q was asked for; there is only the one without a name", name)
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(n.size))
	b = binary.BigEndian.AppendUint16(b, transmissionFlags)
	if n.zeroes {
		b = append(b, make([]byte, 124)...)
	}
	_, err := n.out.Write(b)
	return err
}

// list answers NBD_OPT_LIST: one export, with an empty name.
func (n *negotiation) list(data []byte) error {
	if len(data) != 0 {
		return n.reply(optList, repErrInvalid, nil)
	}
	if err := n.reply(optList, repServer, make([]byte, 4)); err != nil { // the length of the name
		return err
	}
	return n.reply(optList, repAck, nil)
}

// info answers NBD_OPT_INFO and NBD_OPT_GO, and reports whether it could.
func (n *negotiation) info(opt option, data []byte) (bool, error) {
	r := reader{b: data}
	name := r.text()
	count := r.uint16()
	if count > maxInfos {
		r.bad = true
	}
	var asked []uint16
	for range count {
		if r.bad {
			break
		}
		asked = append(asked, r.uint16())
	}
	switch {
	case !r.done():
		return false, n.reply(opt, repErrInvalid, nil)
	case len(name) != 0:
		return false, n.reply(opt, repErrUnknown, nil)
	}
	be := binary.BigEndian
	b := be.AppendUint16(nil, infoExport)
	b = be.AppendUint64(b, uint64(n.size))
	b = be.AppendUint16(b, transmissionFlags)
	if err := n.reply(opt, repInfo, b); err != nil {
		return false, err
	}
	if slices.Contains(asked, infoBlockSize) {
		b = be.AppendUint16(b[:0], infoBlockSize)
		b = be.AppendUint32(b, sectorSize)
		b = be.AppendUint32(b, preferredBlock)
		b = be.AppendUint32(b, maxRequest)
		if err := n.reply(opt, repInfo, b); err != nil {
			return false, err
		}
	}
	return true, n.reply(opt, repAck, nil)
}

// metaContext answers NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. What is set replaces what was set before.
func (n *negotiation) metaContext(opt option, data []byte) error {
	set := opt == optSetMetaContext
	if set {
		n.allocation = false
	}
	r := reader{b: data}
	name := r.text()
	count := r.uint32()
	if count > maxQueries {
		r.bad = true
	}
	found := count == 0 && !set // a list without queries is of all contexts
	for range count {
		if r.bad {
			break
		}
		q := string(r.text())
		found = found || q == contextAllocation || q == contextNamespace && !set
	}
	switch {
	case !r.done(), !n.structured:
		return n.reply(opt, repErrInvalid, nil)
	case len(name) != 0:
		return n.reply(opt, repErrUnknown, nil)
	}
	if found {
		id := uint32(0) // of no meaning in a list
		if set {
			n.allocation, id = true, contextID
		}
		if err := n.reply(opt, repMetaContext, append(binary.BigEndian.AppendUint32(nil, id), contextAllocation...)); err != nil {
			return err
		}
	}
	return n.reply(opt, repAck, nil)
}

// reader takes the fields of an option's data apart. After bad it gives zeroes.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n uint32) []byte {
	if r.bad || uint64(n) > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) uint16() uint16 {
	if b := r.bytes(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// text is a length in 32 bits and as many bytes.
func (r *reader) text() []byte { return r.bytes(r.uint32()) }

// done says whether all was there and nothing is left.
func (r *reader) done() bool { return !r.bad && len(r.b) == 0 }
