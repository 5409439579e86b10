package nbd

import (
	"encoding/binary"
	"errors"
	"io"
)

// errLeft says that the client ended the negotiation as the protocol allows.
var errLeft = errors.New("nbd: the client left")

// agreement is what a negotiation came to.
type agreement struct {
	structured bool // structured replies
	allocation bool // the metadata context base:allocation
}

// negotiation is the handshake of one connection ("Fixed newstyle negotiation").
type negotiation struct {
	in     io.Reader
	out    io.Writer
	size   int64
	zeroes bool // 124 bytes of zeroes follow the answer to NBD_OPT_EXPORT_NAME
	agreement
}

// run haggles until the transmission begins. errLeft is a client that went away politely.
func (n *negotiation) run() (agreement, error) {
	be := binary.BigEndian
	hello := be.AppendUint64(nil, magicServer)
	hello = be.AppendUint64(hello, magicOption)
	hello = be.AppendUint16(hello, flagFixedNewstyle|flagNoZeroes)
	if _, err := n.out.Write(hello); err != nil {
		return agreement{}, err
	}
	var flags [4]byte
	if _, err := io.ReadFull(n.in, flags[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return agreement{}, errLeft // it only looked whether somebody is there
		}
		return agreement{}, err
	}
	f := be.Uint32(flags[:])
	if f&^(flagFixedNewstyle|flagNoZeroes) != 0 {
		return agreement{}, protocolError("client flags %#x", f)
	}
	n.zeroes = f&flagNoZeroes == 0
	for range maxOptions {
		begin, err := n.haggle()
		if begin || err != nil {
			return n.agreement, err
		}
	}
	return agreement{}, protocolError("more than %d options", maxOptions)
}

// haggle reads and answers one option ("Option haggling"). It reports whether the transmission begins.
func (n *negotiation) haggle() (bool, error) {
	be := binary.BigEndian
	var head [16]byte
	if _, err := io.ReadFull(n.in, head[:]); err != nil {
		if errors.Is(err, io.EOF) {
			return false, errLeft
		}
		return false, err
	}
	if m := be.Uint64(head[:]); m != magicOption {
		return false, protocolError("option magic %#x", m)
	}
	opt, length := option(be.Uint32(head[8:])), be.Uint32(head[12:])
	if length > maxOptionData {
		return false, n.tooLong(opt, length)
	}
	data := make([]byte, length)
	if _, err := io.ReadFull(n.in, data); err != nil {
		return false, unexpected(err)
	}
	switch opt {
	case optExportName:
		return true, n.exportName(data)
	case optAbort:
		_ = n.reply(opt, repAck, nil) // the client may be gone already
		return false, errLeft
	case optList:
		return false, n.list(data)
	case optInfo, optGo:
		ok, err := n.info(opt, data)
		return ok && opt == optGo, err
	case optStructuredReply:
		if len(data) != 0 {
			return false, n.reply(opt, repErrInvalid, nil)
		}
		n.structured = true
		return false, n.reply(opt, repAck, nil)
	case optListMetaContext, optSetMetaContext:
		return false, n.metaContext(opt, data)
	}
	return false, n.reply(opt, repErrUnsup, nil)
}

// tooLong drops the data of an option and says that there was too much.
func (n *negotiation) tooLong(opt option, length uint32) error {
	if length > maxOptionSkip || opt == optExportName { // which knows no error but the end
		return protocolError("option %d with %d bytes of data, at most %d", opt, length, maxOptionData)
	}
	if _, err := io.CopyN(io.Discard, n.in, int64(length)); err != nil {
		return unexpected(err)
	}
	return n.reply(opt, repErrTooBig, nil)
}

// reply sends one answer to an option.
func (n *negotiation) reply(opt option, kind uint32, data []byte) error {
	be := binary.BigEndian
	b := be.AppendUint64(nil, magicOptReply)
	b = be.AppendUint32(b, uint32(opt))
	b = be.AppendUint32(b, kind)
	b = be.AppendUint32(b, uint32(len(data)))
	_, err := n.out.Write(append(b, data...))
	return err
}
