package linux

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
)

// wickedNet is wicked's own format, interfaces in XML (wicked-config(5)); SUSE's usual files are ifcfgNet's.
type wickedNet struct{}

func (wickedNet) name() string { return "wicked" }

func (wickedNet) files(ctx context.Context, tree guest.FS) ([]string, error) {
	return netFiles(ctx, tree, "/etc/wicked/ifconfig", func(n string) bool { return path.Ext(n) == ".xml" })
}

// wickedPin is a MAC by which an interface is found, and where in the file it stands.
type wickedPin struct {
	iface      int // index into the entries
	start, end int
}

func (wickedNet) read(_ string, text []byte) ([]netEntry, error) {
	entries, _, err := readWicked(text)
	return entries, err
}

// maxWickedDepth is how deep elements may lie in each other; wicked's own go to six.
const maxWickedDepth = 64

func readWicked(text []byte) (entries []netEntry, pins []wickedPin, err error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	var open []string
	for {
		start := d.InputOffset()
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return entries, pins, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("it is no valid XML: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if open = append(open, t.Name.Local); len(open) > maxWickedDepth {
				return nil, nil, fmt.Errorf("%w: elements deeper than %d", guest.ErrLimit, maxWickedDepth)
			}
			if t.Name.Local == "interface" {
				entries = append(entries, netEntry{})
			} else if len(entries) > 0 {
				entries[len(entries)-1].wickedElement(t.Name.Local)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			value := strings.TrimSpace(string(t))
			if len(entries) == 0 || value == "" || len(open) < 2 {
				continue
			}
			e := &entries[len(entries)-1]
			switch inside, within := open[len(open)-1], open[len(open)-2]; {
			case inside == "name" && within == "interface":
				e.Name = value
				e.virtual = e.virtual || !cardName(value)
			case inside == "permanent-address" && normalMAC(value) != "":
				e.MAC = normalMAC(value)
				at := int(start) + bytes.Index(text[start:], []byte(value))
				pins = append(pins, wickedPin{iface: len(entries) - 1, start: at, end: at + len(value)})
			case inside == "local" && within == "address":
				e.Static = true
				if e.Address == "" {
					e.Address = value
				}
			case inside == "device" && within != "interface":
				e.members = append(e.members, value)
			}
		}
	}
}

func (e *netEntry) wickedElement(name string) {
	switch name {
	case "bond", "bridge", "vlan", "macvlan", "macvtap", "dummy", "tun", "tap", "team", "wireless", "ppp":
		e.virtual = true
	case "dhcp", "auto", "auto4", "auto6":
		e.dhcp = true
	}
}

func (wickedNet) edit(_ string, text []byte, plan netPlan) ([]byte, []string, error) {
	entries, pins, err := readWicked(text)
	if err != nil {
		return nil, nil, err
	}
	var why []string
	var out []byte
	at := 0
	for _, pin := range pins {
		e := entries[pin.iface]
		had := string(text[pin.start:pin.end])
		fate, with := plan.fate(e.Name, normalMAC(had))
		switch fate {
		case macGoes:
			return nil, nil, fmt.Errorf("it finds a card by the MAC %s, which no card of the VM has", had)
		case macChanges:
			out = append(append(out, text[at:pin.start]...), likeMAC(with, had)...)
			at = pin.end
			why = append(why, fate.why(normalMAC(had), with))
		}
	}
	return append(out, text[at:]...), why, nil
}
