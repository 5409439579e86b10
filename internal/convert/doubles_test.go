package convert

import (
	"bytes"
	"context"
	"io"
	"time"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/guest"
)

// testClock returns a clock that moves one second at every look.
func testClock() func() time.Time {
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	return func() time.Time {
		now = now.Add(time.Second)
		return now
	}
}

// patch is an extent of a patchwork.
type patch struct {
	off, len int64
	kind     disk.Kind
}

// patchwork is an image with a map and no content.
type patchwork []patch

func (p patchwork) Size() int64                       { last := p[len(p)-1]; return last.off + last.len }
func (p patchwork) Close() error                      { return nil }
func (p patchwork) ReadAt([]byte, int64) (int, error) { return 0, io.ErrUnexpectedEOF }
func (p patchwork) Extent(_ context.Context, off int64) (disk.Extent, error) {
	for _, e := range p {
		if e.off == off {
			return disk.Extent{Off: e.off, Len: e.len, Kind: e.kind}, nil
		}
	}
	return disk.Extent{}, io.EOF
}

// memoryFile is a file in memory.
type memoryFile struct {
	*bytes.Reader
	name string
}

func (m *memoryFile) Name() string { return m.name }
func (m *memoryFile) Close() error { return nil }

// noGuestsHere is why noGuests cannot open guests.
const noGuestsHere = "libguestfs is not here"

// noGuests is a host without libguestfs.
type noGuests struct{}

func (noGuests) Missing(context.Context) (repairs, boot string) { return noGuestsHere, "" }
func (noGuests) Open(context.Context, ApplianceOptions) (Appliance, error) {
	return nil, guest.ErrUnavailable
}
func (noGuests) Marker(string, string) (map[string]guest.File, error) {
	return nil, guest.ErrUnavailable
}
func (noGuests) Boot(context.Context, BootTest) (BootResult, error) {
	return BootResult{}, guest.ErrUnavailable
}
