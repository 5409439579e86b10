package nbd

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
)

// FuzzConnection plays any bytes to a server as a client. Property: whatever comes, what the server sends is well formed, and what
// it sends as content is the disk's.
func FuzzConnection(f *testing.F) {
	goOn := pack(uint64(magicOption), uint32(optGo), uint32(6), uint32(0), uint16(0))
	structured := pack(uint64(magicOption), uint32(optStructuredReply), uint32(0))
	context := pack(uint64(magicOption), uint32(optSetMetaContext), uint32(27), uint32(0), uint32(1), uint32(15), contextAllocation)
	read := pack(uint32(magicRequest), uint16(0), uint16(cmdRead), uint64(1), uint64(1000), uint32(70000))
	status := pack(uint32(magicRequest), uint16(0), uint16(cmdBlockStatus), uint64(2), uint64(0), uint32(1<<20))
	write := pack(uint32(magicRequest), uint16(0), uint16(cmdWrite), uint64(3), uint64(0), uint32(4), "data")
	leave := pack(uint32(magicRequest), uint16(0), uint16(cmdDisconnect), uint64(0), uint64(0), uint32(0))
	f.Add(bytes.Join([][]byte{pack(uint32(3)), structured, context, goOn, read, status, write, leave}, nil))
	f.Add(bytes.Join([][]byte{pack(uint32(1)), pack(uint64(magicOption), uint32(optExportName), uint32(0)), read, read, status}, nil))
	f.Add(bytes.Join([][]byte{pack(uint32(3)), pack(uint64(magicOption), uint32(optList), uint32(0)), goOn, read[:20]}, nil))
	img := mixed(3<<20 + 77777)
	want := make([]byte, 3<<20+77777+511)
	if _, err := img.ReadAt(want[:img.Size()], 0); err != nil {
		f.Fatal(err)
	}
	want = want[:len(want)/512*512]
	f.Fuzz(func(t *testing.T, sent []byte) {
		s := New(img, Options{})
		in, out := bytes.NewReader(sent), &bytes.Buffer{}
		agreed, err := (&negotiation{in: in, out: out, size: s.img.Size()}).run()
		checkHandshake(t, out.Bytes())
		if err != nil {
			return
		}
		out.Reset()
		tr := &transmission{server: s, in: in, out: capped{out}, agreed: agreed, hangUp: func() {}}
		_ = tr.run(t.Context())
		checkReplies(t, out.Bytes(), agreed, want)
		if err := s.Err(); err != nil {
			t.Errorf("a client made the image fail: %v", err)
		}
	})
}

// capped stops taking replies after 64 MiB, so that a fuzzer asking for everything again and again finds an end.
type capped struct{ *bytes.Buffer }

func (c capped) Write(p []byte) (int, error) {
	if c.Len() > 64<<20 {
		return 0, io.ErrShortWrite
	}
	return c.Buffer.Write(p)
}

// checkHandshake takes apart what the server sent before the transmission.
func checkHandshake(t *testing.T, b []byte) {
	t.Helper()
	if len(b) < 18 {
		t.Fatalf("the greeting is %x", b)
	}
	for b = b[18:]; len(b) > 0; {
		if len(b) == 10 || len(b) == 134 { // the answer to NBD_OPT_EXPORT_NAME ends it
			return
		}
		if len(b) < 20 || binary.BigEndian.Uint64(b) != magicOptReply || len(b)-20 < int(binary.BigEndian.Uint32(b[16:])) {
			t.Fatalf("an option was answered with %x", b)
		}
		b = b[20+binary.BigEndian.Uint32(b[16:]):]
	}
}

// checkReplies takes apart what the server sent in the transmission.
func checkReplies(t *testing.T, b []byte, agreed agreement, want []byte) {
	t.Helper()
	be := binary.BigEndian
	for len(b) > 0 {
		switch {
		case len(b) >= simpleLen && be.Uint32(b) == magicSimple:
			b = b[simpleLen:]
			if !agreed.structured {
				return // a reader's length stands only in the request
			}
		case len(b) >= chunkLen && be.Uint32(b) == magicStructured && agreed.structured:
			n := int(be.Uint32(b[16:]))
			kind, p := be.Uint16(b[6:]), b[chunkLen:]
			if n > len(p) {
				t.Fatalf("a chunk of %d bytes, %d are there", n, len(p))
			}
			b, p = p[n:], p[:n]
			switch kind {
			case chunkOffsetData:
				if off := be.Uint64(p); off+uint64(n-8) > uint64(len(want)) || !bytes.Equal(p[8:], want[off:off+uint64(n-8)]) {
					t.Fatalf("wrong content at %d", off)
				}
			case chunkOffsetHole:
				off, length := be.Uint64(p), uint64(be.Uint32(p[8:]))
				if n != 12 || off+length > uint64(len(want)) || !bytes.Equal(want[off:off+length], make([]byte, length)) {
					t.Fatalf("a hole where content is, at %d", off)
				}
			case chunkBlockStatus:
				if n < 12 || n%8 != 4 {
					t.Fatalf("block status of %d bytes", n)
				}
			}
		default:
			t.Fatalf("a reply begins %x", b[:min(len(b), 32)])
		}
	}
}
