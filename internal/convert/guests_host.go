package convert

import (
	"context"
	"fmt"

	"hyper2kvm/internal/guest"
)

// HostGuests opens guests with the libguestfs of this host and starts them with its qemu.
type HostGuests struct{ settings GuestSettings }

// NewHostGuests returns the guests of this host.
func NewHostGuests(s GuestSettings) *HostGuests { return &HostGuests{settings: s} }

// Missing implements Guests.
func (h *HostGuests) Missing(context.Context) (repairs, boot string) {
	return "guest repairs are not part of this version yet", "boot tests are not part of this version yet"
}

// Open implements Guests.
func (h *HostGuests) Open(context.Context, ApplianceOptions) (Appliance, error) {
	return nil, fmt.Errorf("open the guest: %w", guest.ErrUnavailable)
}

// Marker implements Guests.
func (h *HostGuests) Marker(string, string) (map[string]guest.File, error) {
	return nil, guest.ErrUnavailable
}

// Boot implements Guests.
func (h *HostGuests) Boot(context.Context, BootTest) (BootResult, error) {
	return BootResult{}, guest.ErrUnavailable
}
