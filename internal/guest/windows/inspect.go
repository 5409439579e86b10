package windows

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// Details is what the registry tells beyond guest.System.
type Details struct {
	Product    string    `json:"product"`               // Windows Server 2019 Standard
	Edition    string    `json:"edition,omitempty"`     // EditionID: ServerStandard, Professional
	Build      int       `json:"build,omitempty"`       // 17763; 0 = not known
	SystemRoot string    `json:"system_root,omitempty"` // C:\Windows
	UTCClock   bool      `json:"utc_clock,omitempty"`   // RealTimeIsUniversal: the clock of the machine runs in UTC, not in local time
	FastStart  bool      `json:"fast_start,omitempty"`  // shutting down hibernates the kernel
	Virtio     Readiness `json:"virtio"`
}

// Inspect fills what the mounted tree tells: name, version, architecture, host name, static addresses, tools, hibernation. What the
// appliance filled stays. A hive that is damaged is an ErrHive: the guest can be converted none the less, but not with virtio.
func Inspect(ctx context.Context, tree guest.FS, system *guest.System) error {
	d, err := look(ctx, tree, system)
	if err == nil {
		system.Name = d.Product
	}
	return err
}

// Look returns the details. Errors are those of Inspect.
func Look(ctx context.Context, tree guest.FS) (Details, error) {
	return look(ctx, tree, &guest.System{})
}

func look(ctx context.Context, tree guest.FS, system *guest.System) (Details, error) {
	var d Details
	dir, err := systemDir(ctx, tree)
	if err != nil {
		return d, err
	}
	system.Family, system.Distro = guest.FamilyWindows, "windows"
	hibernated, err := hibernated(ctx, tree)
	if err != nil {
		return d, err
	}
	system.Hibernated = system.Hibernated || hibernated
	err = withHive(ctx, tree, dir, "SOFTWARE", func(h *hive) error { return d.software(h, system) })
	if err != nil {
		return d, err
	}
	err = withHive(ctx, tree, dir, "SYSTEM", func(h *hive) error {
		set, err := d.system(h, system)
		if err != nil {
			return err
		}
		d.Virtio, err = readiness(ctx, tree, dir, h, set)
		return err
	})
	return d, err
}

// firstWindows11 is the first build of Windows 11, whose ProductName still says Windows 10.
const firstWindows11 = 22000

// software reads the hive SOFTWARE.
func (d *Details) software(h *hive, system *guest.System) error {
	k, err := h.open("Microsoft", "Windows NT", "CurrentVersion")
	if err != nil {
		return err
	}
	d.Product, d.Edition, d.SystemRoot = k.text("ProductName"), k.text("EditionID"), k.text("SystemRoot")
	build := k.text("CurrentBuild")
	if build == "" {
		build = k.text("CurrentBuildNumber")
	}
	d.Build, _ = strconv.Atoi(build)
	if d.Build >= firstWindows11 && !strings.Contains(k.text("InstallationType"), "Server") {
		d.Product = strings.Replace(d.Product, "Windows 10", "Windows 11", 1)
	}
	system.Version = k.text("CurrentVersion") // 6.1; it stays at 6.3 from Windows 10 on
	if major, ok := k.number("CurrentMajorVersionNumber"); ok {
		minor, _ := k.number("CurrentMinorVersionNumber")
		system.Version = fmt.Sprintf("%d.%d", major, minor)
	}
	if d.Build > 0 {
		system.Version += "." + strconv.Itoa(d.Build)
	}
	return nil
}

// system reads the hive SYSTEM and returns the control set that the next start uses.
func (d *Details) system(h *hive, system *guest.System) (string, error) {
	set, err := controlSet(h)
	if err != nil {
		return "", err
	}
	optional := func(path ...string) (hiveKey, error) {
		k, err := h.open(append([]string{set}, path...)...)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return k, err
	}
	environment, err := optional("Control", "Session Manager", "Environment")
	if err != nil {
		return "", err
	}
	arch := strings.ToUpper(environment.text("PROCESSOR_ARCHITECTURE"))
	if known := map[string]string{"AMD64": "x86_64", "X86": "i386", "ARM64": "aarch64"}[arch]; known != "" {
		system.Arch = known
	}
	name, err := optional("Control", "ComputerName", "ComputerName")
	if err != nil {
		return "", err
	}
	if host := name.text("ComputerName"); host != "" {
		system.Host = host
	}
	clock, err := optional("Control", "TimeZoneInformation")
	if err != nil {
		return "", err
	}
	utc, _ := clock.number("RealTimeIsUniversal")
	d.UTCClock = utc == 1
	power, err := optional("Control", "Session Manager", "Power")
	if err != nil {
		return "", err
	}
	fast, _ := power.number("HiberbootEnabled")
	d.FastStart = fast == 1
	if err := readInterfaces(h, set, system); err != nil {
		return "", err
	}
	return set, readTools(h, set, system)
}

// controlSet returns ControlSet001 or another, as the key Select says. CurrentControlSet itself exists only while Windows runs.
func controlSet(h *hive) (string, error) {
	k, err := h.open("Select")
	if err != nil {
		return "", err
	}
	n, ok := k.number("Default")
	if !ok {
		n, ok = k.number("Current")
	}
	if !ok || n == 0 || n > 999 {
		return "", fmt.Errorf("%w: Select names no control set", ErrHive)
	}
	return fmt.Sprintf("ControlSet%03d", n), nil
}

// maxInterfaces bounds the network interfaces that are read: Windows keeps one for each adapter that it has ever seen.
const maxInterfaces = 1024

// readInterfaces lists the interfaces with static addresses.
func readInterfaces(h *hive, set string, system *guest.System) error {
	k, err := h.open(set, "Services", "Tcpip", "Parameters", "Interfaces")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := k.all()
	if err != nil {
		return err
	}
	system.Interfaces = nil
	for _, i := range all[:min(len(all), maxInterfaces)] {
		dhcp, ok := i.number("EnableDHCP")
		addresses := i.texts("IPAddress")
		if !ok || dhcp != 0 || len(addresses) == 0 || addresses[0] == "0.0.0.0" {
			continue
		}
		system.Interfaces = append(system.Interfaces, guest.Interface{Name: i.name, Backend: "registry", File: "SYSTEM", Static: true, Address: addresses[0]})
	}
	return nil
}

// toolServices are services by which tools are known.
var toolServices = []struct{ service, title string }{
	{"VMTools", "VMware Tools"}, {"VBoxService", "VirtualBox Guest Additions"}, {"prl_tools_service", "Parallels Tools"},
	{"xenagent", "Xen tools"}, {"xensvc", "Xen tools"}, {"QEMU-GA", "qemu-guest-agent"},
}

func readTools(h *hive, set string, system *guest.System) error {
	services, err := h.open(set, "Services")
	if err != nil {
		return err
	}
	system.Tools = nil
	for _, t := range toolServices {
		_, err := services.sub(t.service)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		default:
			system.Tools = append(system.Tools, t.title)
		}
	}
	return nil
}

// hibernated reports whether hiberfil.sys holds a kernel that waits to go on: its first four bytes are "hibr" then. After a resume they
// are "rstr" or "wake", and zero where nothing was ever saved.
func hibernated(ctx context.Context, tree guest.FS) (bool, error) {
	file, err := find(ctx, tree, "hiberfil.sys")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c, err := tree.Open(ctx, file)
	if err != nil {
		return false, err
	}
	defer c.Close()
	head := make([]byte, 4)
	if c.Size() < int64(len(head)) {
		return false, nil
	}
	if _, err := c.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("%s: %w", file, err)
	}
	return strings.EqualFold(string(head), "hibr"), nil
}
