package nbd

import (
	"encoding/binary"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/disktest"
)

// start serves img for the time of the test.
func start(tb testing.TB, img disk.Image) (*Server, *Listener) {
	tb.Helper()
	l, err := Listen(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	s := New(img, Options{})
	done := make(chan error, 1)
	ctx := tb.Context()
	go func() { done <- s.Serve(ctx, l) }()
	tb.Cleanup(func() { // the context of a test ends before its cleanups
		if err := <-done; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
	return s, l
}

// qemu runs one of qemu's tools; the test is skipped where there is none.
func qemu(tb testing.TB, tool string, args ...string) (string, error) {
	tb.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		tb.Skipf("SKIPPED: %s is not installed, so no other program talked to the server; install qemu-utils", tool)
	}
	out, err := exec.CommandContext(tb.Context(), path, args...).CombinedOutput()
	return string(out), err
}

func mustQemu(tb testing.TB, tool string, args ...string) string {
	tb.Helper()
	out, err := qemu(tb, tool, args...)
	if err != nil {
		tb.Fatalf("%s %q: %v\n%s", tool, args, err, out)
	}
	return out
}

// client speaks the protocol by hand.
type client struct {
	tb testing.TB
	net.Conn
}

// dial begins the handshake with these client flags.
func dial(tb testing.TB, l *Listener, flags uint32) client {
	tb.Helper()
	c, err := net.Dial("unix", l.Path())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	k := client{tb, c}
	hello := k.take(18)
	if string(hello[:16]) != "NBDMAGICIHAVEOPT" || binary.BigEndian.Uint16(hello[16:]) != 3 {
		tb.Fatalf("the server greets with %x", hello)
	}
	k.put(flags)
	return k
}

// put sends numbers and bytes, big endian.
func (c client) put(fields ...any) {
	c.tb.Helper()
	if _, err := c.Write(pack(fields...)); err != nil {
		c.tb.Fatal(err)
	}
}

func pack(fields ...any) []byte {
	var b []byte
	for _, f := range fields {
		if s, ok := f.(string); ok {
			b = append(b, s...)
			continue
		}
		var err error
		if b, err = binary.Append(b, binary.BigEndian, f); err != nil {
			panic(err) // a test packs something else
		}
	}
	return b
}

func (c client) take(n int) []byte {
	c.tb.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c.Conn, b); err != nil {
		c.tb.Fatalf("the server sent less than %d bytes: %v", n, err)
	}
	return b
}

// gone checks that the server ends the connection without another word.
func (c client) gone() {
	c.tb.Helper()
	if b, err := io.ReadAll(c.Conn); len(b) > 0 {
		c.tb.Errorf("the server went on with %x (%v)", b, err)
	}
}

// option sends one option and returns the replies up to the last one: types, and what they hold.
func (c client) option(opt option, data []byte) (types []uint32, held []string) {
	c.tb.Helper()
	c.put(uint64(magicOption), uint32(opt), uint32(len(data)), data)
	for {
		h := c.take(20)
		kind := binary.BigEndian.Uint32(h[12:])
		if binary.BigEndian.Uint64(h) != magicOptReply || binary.BigEndian.Uint32(h[8:]) != uint32(opt) {
			c.tb.Fatalf("reply %x to option %d", h, opt)
		}
		types = append(types, kind)
		held = append(held, string(c.take(int(binary.BigEndian.Uint32(h[16:])))))
		if kind == repAck || kind >= 1<<31 {
			return types, held
		}
	}
}

// begin goes to the transmission by NBD_OPT_GO.
func (c client) begin() {
	c.tb.Helper()
	types, _ := c.option(optGo, pack(uint32(0), uint16(0)))
	if types[len(types)-1] != repAck {
		c.tb.Fatalf("NBD_OPT_GO: %x", types)
	}
}

func (c client) request(flags uint16, cmd command, cookie, off uint64, length uint32) {
	c.tb.Helper()
	c.put(uint32(magicRequest), flags, uint16(cmd), cookie, off, length)
}

// answer takes a simple reply.
func (c client) answer(cookie uint64) errno {
	c.tb.Helper()
	b := c.take(simpleLen)
	if binary.BigEndian.Uint32(b) != magicSimple || binary.BigEndian.Uint64(b[8:]) != cookie {
		c.tb.Fatalf("reply %x, want a simple one to %d", b, cookie)
	}
	return errno(binary.BigEndian.Uint32(b[4:]))
}

// chunk takes a chunk of a structured reply.
func (c client) chunk(cookie uint64) (flags, kind uint16, payload []byte) {
	c.tb.Helper()
	b := c.take(chunkLen)
	if binary.BigEndian.Uint32(b) != magicStructured || binary.BigEndian.Uint64(b[8:]) != cookie {
		c.tb.Fatalf("reply %x, want a chunk of %d", b, cookie)
	}
	return binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:]), c.take(int(binary.BigEndian.Uint32(b[16:])))
}

// mixed returns a disk of an odd size with data, zeroes and holes, some of which keep to no sector.
func mixed(size int64) *disktest.MemImage {
	m := disktest.NewMemImage(size)
	m.Put(0, disktest.Random(1, 70000))
	m.Put(1<<20, disktest.Random(2, 600<<10))
	m.Zero(1<<20+100<<10, 64<<10)
	m.Put(3<<20+100, disktest.Random(3, 1000))
	m.Put(size-700, disktest.Random(4, 700))
	return m
}

func writeRaw(tb testing.TB, img disk.Image) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "want.raw")
	b := make([]byte, img.Size())
	if _, err := img.ReadAt(b, 0); err != nil && len(b) > 0 {
		tb.Fatal(err)
	}
	writeFile(tb, path, b)
	return path
}

func trimmed(s string) string { return strings.TrimSpace(s) }
