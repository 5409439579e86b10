package linux

import (
	"path"
	"slices"
	"strings"
)

// linkDir is where an administrator's .link files stand; see systemd.link(5).
const linkDir = "/etc/systemd/network"

// linkPrefix begins our files' names. 70 comes before the policies of packages (73, 98, 99) and after what people call 10.
const linkPrefix = "70-hyper2kvm-"

// linkFile is the file that names a card.
func linkFile(name string) string { return path.Join(linkDir, linkPrefix+name+".link") }

// linkText names the card with the MAC, or the only one where mac is "". The drivers are stated with a MAC too: bonds, bridges and
// VLANs have the MAC of their card, and must not be called like it.
func linkText(name, mac string) []byte {
	var b strings.Builder
	b.WriteString("# The network card keeps the name that it had before the machine came to KVM.\n[Match]\n")
	if mac != "" {
		b.WriteString("MACAddress=" + mac + "\n")
	}
	b.WriteString("Driver=" + strings.Join(virtualNICDrivers, " ") + "\n\n[Link]\nName=" + name + "\n")
	return []byte(b.String())
}

// parseLink reads what one .link file names. A file that tries policies first, or sets no name, pins nothing.
func parseLink(file string, text []byte) []namePin {
	f := parseINI(text)
	name, policy := f.get("Link", "Name"), f.get("Link", "NamePolicy")
	if name == "" || policy != "" || !cardName(name) {
		return nil
	}
	macs := slices.Concat(f.matches("MACAddress"), f.matches("PermanentMACAddress"))
	driver := f.get("Match", "Driver")
	if len(macs) == 0 {
		return []namePin{{file: file, line: -1, name: name, driver: driver}}
	}
	var pins []namePin
	for _, m := range macs {
		pins = append(pins, namePin{file: file, line: -1, name: name, mac: normalMAC(m), driver: driver})
	}
	return pins
}
