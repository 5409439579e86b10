package windows

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// Readiness says whether a guest starts on virtio as it is.
type Readiness struct {
	Block bool   `json:"block"` // viostor starts with the kernel and knows virtio's disk
	SCSI  bool   `json:"scsi"`  // the same for vioscsi
	Net   bool   `json:"net"`   // netkvm is installed
	Why   string `json:"why"`   // one line: what is missing, or what proves it
}

// Virtio says whether the drivers of virtio are installed. They are where the guest ran on virtio before, or where virtio-win was
// installed in time. Errors are those of Inspect.
func Virtio(ctx context.Context, tree guest.FS) (Readiness, error) {
	d, err := Look(ctx, tree)
	return d.Virtio, err
}

// virtioDevice is a driver and the PCI devices that it is for: the transitional one and that of virtio 1.
type virtioDevice struct {
	service string
	ids     []string
}

var (
	virtioBlock = virtioDevice{"viostor", []string{"VEN_1AF4&DEV_1001", "VEN_1AF4&DEV_1042"}}
	virtioSCSI  = virtioDevice{"vioscsi", []string{"VEN_1AF4&DEV_1004", "VEN_1AF4&DEV_1048"}}
	virtioNet   = virtioDevice{"netkvm", []string{"VEN_1AF4&DEV_1000", "VEN_1AF4&DEV_1041"}}
)

// Values of a service's Start.
const (
	startBoot     = 0
	startDisabled = 4
)

// readiness asks for each driver: is its service there, is its file, and does Windows know for which device it is.
func readiness(ctx context.Context, tree guest.FS, dir string, h *hive, set string) (Readiness, error) {
	if h.dirty {
		return Readiness{Why: "the registry was not closed cleanly: its last changes lie in its logs"}, nil
	}
	var r Readiness
	var missing []string
	for _, d := range []struct {
		virtioDevice
		ready *bool
		boot  bool
	}{{virtioBlock, &r.Block, true}, {virtioSCSI, &r.SCSI, true}, {virtioNet, &r.Net, false}} {
		why, err := d.lacks(ctx, tree, dir, h, set, d.boot)
		if err != nil {
			return Readiness{}, err
		}
		if *d.ready = why == ""; why != "" {
			missing = append(missing, d.service+": "+why)
		}
	}
	r.Why = "viostor, vioscsi and netkvm are installed"
	if len(missing) > 0 {
		r.Why = strings.Join(missing, "; ")
	}
	return r, nil
}

// lacks returns what a driver needs and does not have, "" for nothing.
func (d virtioDevice) lacks(ctx context.Context, tree guest.FS, dir string, h *hive, set string, boot bool) (string, error) {
	k, err := h.open(set, "Services", d.service)
	if errors.Is(err, fs.ErrNotExist) {
		return "not installed", nil
	}
	if err != nil {
		return "", err
	}
	start, ok := k.number("Start")
	switch {
	case !ok || start >= startDisabled:
		return "its service is disabled", nil
	case boot && start != startBoot:
		return fmt.Sprintf("its service does not start with the kernel (Start is %d, want 0)", start), nil
	}
	if over, err := k.sub("StartOverride"); boot && err == nil {
		if n, ok := over.number("0"); ok && n != startBoot {
			return fmt.Sprintf("StartOverride keeps it from starting (0 is %d)", n), nil
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	there, err := exists(ctx, tree, dir, "System32", "drivers", d.service+".sys")
	if err != nil {
		return "", err
	}
	if !there {
		return "its file " + d.service + ".sys is not there", nil
	}
	known, err := d.known(h, set)
	if err != nil {
		return "", err
	}
	if !known {
		return "no device is bound to it", nil
	}
	return "", nil
}

// known reports whether Windows ties one of the devices to a driver: it has seen one (Enum), the driver store knows the device
// (DriverDatabase, from Windows 8 on), or it may start from it (CriticalDeviceDatabase, until Windows 7).
func (d virtioDevice) known(h *hive, set string) (bool, error) {
	for _, path := range [][]string{
		{set, "Enum", "PCI"}, {"DriverDatabase", "DeviceIds", "PCI"}, {set, "Control", "CriticalDeviceDatabase"},
	} {
		k, err := h.open(path...)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		found := false
		err = k.each(0, func(s hiveKey) bool {
			name := strings.TrimPrefix(strings.ToUpper(s.name), "PCI#")
			found = slices.ContainsFunc(d.ids, func(id string) bool { return name == id || strings.HasPrefix(name, id+"&") })
			return !found
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}
