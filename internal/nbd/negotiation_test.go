package nbd

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
)

// TestOptions haggles and compares the types of the replies.
func TestOptions(t *testing.T) {
	query := func(name string, queries ...string) []byte {
		b := pack(uint32(len(name)), name, uint32(len(queries)))
		for _, q := range queries {
			b = append(b, pack(uint32(len(q)), q)...)
		}
		return b
	}
	for _, c := range []struct {
		name  string
		plain bool // without structured replies
		opt   option
		data  []byte
		want  []uint32
		held  string // by the first reply
	}{
		{"list", false, optList, nil, []uint32{repServer, repAck}, "\x00\x00\x00\x00"},
		{"list with data", false, optList, []byte{1}, []uint32{repErrInvalid}, ""},
		{"info", false, optInfo, pack(uint32(0), uint16(0)), []uint32{repInfo, repAck}, "\x00\x00" + "\x00\x00\x00\x00\x00\x10\x00\x00" + "\x01\x07"},
		{"info with block size", false, optInfo, pack(uint32(0), uint16(2), uint16(9), uint16(3)), []uint32{repInfo, repInfo, repAck}, ""},
		{"info of another export", false, optInfo, pack(uint32(1), "x", uint16(0)), []uint32{repErrUnknown}, ""},
		{"info cut short", false, optInfo, pack(uint32(0), uint16(2), uint16(3)), []uint32{repErrInvalid}, ""},
		{"info with more than it says", false, optInfo, pack(uint32(0), uint16(0), uint16(3)), []uint32{repErrInvalid}, ""},
		{"info with a name that is not there", false, optInfo, pack(^uint32(0), uint16(0)), []uint32{repErrInvalid}, ""},
		{"info without anything", false, optInfo, nil, []uint32{repErrInvalid}, ""},
		{"structured replies with data", false, optStructuredReply, []byte{0}, []uint32{repErrInvalid}, ""},
		{"TLS", false, 5, nil, []uint32{repErrUnsup}, ""},
		{"extended headers", false, 11, nil, []uint32{repErrUnsup}, ""},
		{"no such option", false, 4711, []byte("data"), []uint32{repErrUnsup}, ""},
		{"too much data", false, optInfo, make([]byte, maxOptionData+1), []uint32{repErrTooBig}, ""},
		{"list of contexts", false, optListMetaContext, query(""), []uint32{repMetaContext, repAck}, "\x00\x00\x00\x00base:allocation"},
		{"list of a namespace", false, optListMetaContext, query("", "base:"), []uint32{repMetaContext, repAck}, "\x00\x00\x00\x00base:allocation"},
		{"list of another namespace", false, optListMetaContext, query("", "qemu:"), []uint32{repAck}, ""},
		{"set a context", false, optSetMetaContext, query("", "qemu:dirty-bitmap:x", "base:allocation"), []uint32{repMetaContext, repAck}, "\x00\x00\x00\x01base:allocation"},
		{"set a namespace", false, optSetMetaContext, query("", "base:"), []uint32{repAck}, ""},
		{"set nothing", false, optSetMetaContext, query(""), []uint32{repAck}, ""},
		{"set for another export", false, optSetMetaContext, query("x", "base:allocation"), []uint32{repErrUnknown}, ""},
		{"set without structured replies", true, optSetMetaContext, query("", "base:allocation"), []uint32{repErrInvalid}, ""},
		{"set cut short", false, optSetMetaContext, query("", "base:allocation")[:15], []uint32{repErrInvalid}, ""},
		{"set more than anybody needs", false, optSetMetaContext, pack(uint32(0), uint32(1<<31)), []uint32{repErrInvalid}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, l := start(t, disk.EmptyImage(1<<20))
			k := dial(t, l, 3)
			if !c.plain {
				k.option(optStructuredReply, nil)
			}
			types, held := k.option(c.opt, c.data)
			if !slices.Equal(types, c.want) || c.held != "" && held[0] != c.held {
				t.Errorf("got  %x %q\nwant %x %q", types, held, c.want, c.held)
			}
			if c.name == "info with block size" && held[1] != string(pack(uint16(3), uint32(512), uint32(65536), uint32(32<<20))) {
				t.Errorf("block sizes %x", held[1])
			}
			k.begin() // the haggling goes on, and ends
			k.request(0, cmdFlush, 1, 0, 0)
			if e := k.answer(1); e != 0 {
				t.Errorf("error %d", e)
			}
		})
	}
}

func TestNegotiationsThatEndTheConnection(t *testing.T) {
	for name, after := range map[string][]byte{
		"a wrong magic":             pack(uint64(magicOption+1), uint32(optGo), uint32(0)),
		"no such export by name":    pack(uint64(magicOption), uint32(optExportName), uint32(3), "abc"),
		"data without end":          pack(uint64(magicOption), uint32(optInfo), ^uint32(0)),
		"a name longer than a page": pack(uint64(magicOption), uint32(optExportName), uint32(maxOptionData+1)),
	} {
		t.Run(name, func(t *testing.T) {
			_, l := start(t, disk.EmptyImage(1<<20))
			c := dial(t, l, 3)
			c.put(after)
			c.gone()
		})
	}
	t.Run("unknown client flags", func(t *testing.T) {
		_, l := start(t, disk.EmptyImage(1<<20))
		dial(t, l, 7).gone()
	})
	t.Run("options without end", func(t *testing.T) {
		_, l := start(t, disk.EmptyImage(1<<20))
		c := dial(t, l, 3)
		for range maxOptions {
			c.option(optList, nil)
		}
		c.gone()
	})
	t.Run("abort", func(t *testing.T) {
		_, l := start(t, disk.EmptyImage(1<<20))
		c := dial(t, l, 3)
		if types, _ := c.option(optAbort, nil); !slices.Equal(types, []uint32{repAck}) {
			t.Errorf("%x", types)
		}
		c.gone()
	})
}

// TestExportNameOfAnOldClient gets the 124 zeroes that only a client without NBD_FLAG_C_NO_ZEROES wants.
func TestExportNameOfAnOldClient(t *testing.T) {
	_, l := start(t, disk.EmptyImage(1<<20))
	c := dial(t, l, 1)
	c.put(uint64(magicOption), uint32(optExportName), uint32(0))
	b := c.take(10 + 124)
	if binary.BigEndian.Uint64(b) != 1<<20 || binary.BigEndian.Uint16(b[8:]) != 0x107 || strings.Trim(string(b[10:]), "\x00") != "" {
		t.Errorf("%x", b)
	}
	c.request(0, cmdDisconnect, 0, 0, 0)
	c.gone()
}
