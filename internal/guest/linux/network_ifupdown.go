package linux

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// ifupdownNet is interfaces(5), of Debian, Alpine and their kin.
type ifupdownNet struct{}

const (
	interfacesFile = "/etc/network/interfaces"
	interfacesDir  = "/etc/network/interfaces.d"
)

var interfacesName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*$`)

// interfacesVirtual are the methods of interfaces that ifup makes, whatever they are called: dsl-provider, he-ipv6.
var interfacesVirtual = []string{"loopback", "tunnel", "v4tunnel", "6to4", "ppp", "wvdial"}

// interfacesJoint is where a logical line goes on, or would if the file did.
var interfacesJoint = regexp.MustCompile(`\\\r*(\n|$)`)

func (ifupdownNet) name() string { return "ifupdown" }

func (ifupdownNet) files(ctx context.Context, tree guest.FS) ([]string, error) {
	text, err := tree.ReadFile(ctx, interfacesFile)
	if err != nil {
		if netUnreadable(err) {
			return nil, nil
		}
		return nil, err
	}
	files := []string{interfacesFile}
	for _, l := range splitInterfaces(text) {
		if (l.word(0) == "source" || l.word(0) == "source-directory") && strings.Contains(l.word(1), "interfaces.d") {
			more, err := netFiles(ctx, tree, interfacesDir, func(n string) bool {
				return interfacesName.MatchString(n) && !strings.Contains(n, ".dpkg-") && !ifcfgLeftover.MatchString(n)
			})
			return append(files, more...), err
		}
	}
	return files, nil
}

// interfacesLine is one logical line: with a backslash at its end the next belongs to it.
type interfacesLine struct {
	text  string   // all of it, with its ends
	words []string // none in a comment
	ends  []int    // where each word ends in text
}

func (l interfacesLine) word(i int) string {
	if i < len(l.words) {
		return l.words[i]
	}
	return ""
}

func splitInterfaces(text []byte) []interfacesLine {
	var lines []interfacesLine
	open := false
	for line := range strings.Lines(string(text)) {
		if open {
			lines[len(lines)-1].text += line
		} else {
			lines = append(lines, interfacesLine{text: line})
		}
		open = continued(line)
	}
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l.text), "#") {
			continue
		}
		text, end := interfacesJoint.ReplaceAllStringFunc(l.text, func(j string) string { return strings.Repeat(" ", len(j)) }), 0
		for word := range strings.FieldsSeq(text) {
			end += strings.Index(text[end:], word) + len(word)
			lines[i].words = append(lines[i].words, word)
			lines[i].ends = append(lines[i].ends, end)
		}
	}
	return lines
}

// replaceWord returns the line's text with another word in place of its i-th.
func (l interfacesLine) replaceWord(i int, with string) string {
	return l.text[:l.ends[i]-len(l.words[i])] + with + l.text[l.ends[i]:]
}

// continued reports whether the next physical line belongs to the same logical one.
func continued(line string) bool {
	return strings.HasSuffix(strings.TrimRight(line, "\r\n"), `\`)
}

// beginsStanza reports whether a line with that first word ends the stanza before it.
func beginsStanza(word string) bool {
	return slices.Contains([]string{"iface", "auto", "mapping", "source", "source-directory", "rename", "no-auto-down", "no-scripts", "template"}, word) ||
		strings.HasPrefix(word, "allow-")
}

func (ifupdownNet) read(_ string, text []byte) ([]netEntry, error) {
	entries, bare := readInterfaces(splitInterfaces(text))
	for _, name := range bare {
		entries = append(entries, netEntry{Interface: guest.Interface{Name: name}, bare: true})
	}
	return entries, nil
}

// readInterfaces returns an entry for each interface, over all its stanzas, and the names that are started and have none.
func readInterfaces(lines []interfacesLine) (entries []netEntry, bare []string) {
	var auto []string
	at := -1
	for _, l := range lines {
		word := l.word(0)
		switch {
		case word == "":
		case word == "auto" || word == "allow-hotplug":
			auto = append(auto, l.words[1:]...)
			at = -1
		case word == "iface" && len(l.words) > 1:
			name := l.word(1)
			if at = slices.IndexFunc(entries, func(e netEntry) bool { return e.Name == name }); at < 0 {
				at, entries = len(entries), append(entries, newInterfacesEntry(name))
			}
			if m := l.word(3); m != "static" && m != "v4tunnel" {
				entries[at].dhcp = true // dhcp, or manual and its like, which say that there shall be no address
			}
			entries[at].virtual = entries[at].virtual || slices.Contains(interfacesVirtual, l.word(3))
		case beginsStanza(word):
			at = -1
		case at >= 0:
			entries[at].option(l)
		}
	}
	for _, name := range auto {
		if cardName(name) && !slices.Contains(bare, name) && !slices.ContainsFunc(entries, func(e netEntry) bool { return e.Name == name }) {
			bare = append(bare, name)
		}
	}
	return entries, bare
}

func newInterfacesEntry(name string) netEntry {
	e := netEntry{Interface: guest.Interface{Name: name}}
	if parent, _, ok := strings.Cut(name, "."); ok {
		e.members = []string{parent}
	}
	e.pattern = strings.ContainsAny(name, "*?[/")
	e.virtual = !e.pattern && !cardName(name)
	return e
}

// option takes in one option of the interface's stanza.
func (e *netEntry) option(l interfacesLine) {
	switch strings.ReplaceAll(l.word(0), "_", "-") {
	case "address":
		e.Static = true
		if e.Address == "" {
			e.Address = l.word(1)
		}
	case "hwaddress":
		if m := normalMAC(l.words[len(l.words)-1]); m != "" {
			e.MAC = m
		}
	case "bond-slaves", "slaves", "bridge-ports", "bond-ports":
		e.virtual = true
		pattern := false
		for _, m := range l.words[1:] {
			switch {
			case m == "regex" || m == "noregex" || m == "glob":
				pattern = m != "noregex"
			case m != "none" && m != "all" && !pattern:
				e.members = append(e.members, m)
			}
		}
	case "vlan-raw-device":
		e.virtual = true
		e.members = append(e.members, l.word(1))
	case "bond-mode", "vlan-id", "wireless-essid", "wpa-ssid":
		e.virtual = true
	case "bond-master":
		e.dhcp = true
	}
}

func (ifupdownNet) edit(file string, text []byte, plan netPlan) ([]byte, []string, error) {
	lines := splitInterfaces(text)
	entries, bare := readInterfaces(lines)
	var why []string
	var current netEntry
	known := false
	for i, l := range lines {
		switch word := l.word(0); {
		case word == "iface":
			at := slices.IndexFunc(entries, func(e netEntry) bool { return e.Name == l.word(1) })
			if known = at >= 0; known {
				current = entries[at]
			}
			if known && l.word(2) == "inet" && l.word(3) == "static" && plan.wantsDHCP(current) {
				lines[i].text = l.replaceWord(3, "dhcp")
				why = append(why, "the interface has no address of its own and asks for none")
			}
		case beginsStanza(word):
			known = false
		case word == "hwaddress" && known && !current.virtual:
			had := l.words[len(l.words)-1]
			mac := normalMAC(had)
			fate, with := plan.fate(current.Name, mac)
			switch fate {
			case macChanges:
				lines[i].text = l.replaceWord(len(l.words)-1, likeMAC(with, had))
				why = append(why, fate.why(mac, with))
			case macGoes:
				lines[i].text = "#" + strings.ReplaceAll(strings.TrimSuffix(l.text, "\n"), "\n", "\n#") + l.text[len(strings.TrimSuffix(l.text, "\n")):]
				why = append(why, fate.why(mac, with))
			}
		}
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l.text)
	}
	for _, name := range bare {
		if file != interfacesFile || !plan.wantsDHCP(netEntry{Interface: guest.Interface{Name: name}}) || plan.configured(name) {
			continue
		}
		b.WriteString(endLine(b.String()))
		b.WriteString("iface " + name + " inet dhcp\n")
		why = append(why, name+" is started and nothing configures it")
	}
	return []byte(b.String()), why, nil
}

// endLine returns what a text needs at its end before a new logical line can follow it: a backslash there would take that line in.
func endLine(text string) string {
	last := text[strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1:]
	end := ""
	if last != "" && !strings.HasSuffix(last, "\n") {
		end = "\n"
	}
	if continued(last) {
		end += "\n"
	}
	return end
}
