package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"hyper2kvm/internal/guest"
)

// rulesDir is where an administrator's udev rules stand; see udev(7).
const rulesDir = "/etc/udev/rules.d"

// rulesFile is the file in which udev itself kept the names of cards, until systemd 197.
const rulesFile = rulesDir + "/70-persistent-net.rules"

// rulesBeside takes new rules where images have a folder or a link to /dev/null under that name, so that no rules gather there.
const rulesBeside = rulesDir + "/70-hyper2kvm-net.rules"

// ruleTerm is one term of a udev rule: KEY{attribute} operator "value".
var ruleTerm = regexp.MustCompile(`([A-Z]+(?:\{[^}]*\})?)\s*(==|!=|\+=|:=|-=|=)\s*"([^"]*)"`)

// parseNameRules reads the rules that give a card a name.
func parseNameRules(file string, text []byte) []namePin {
	var pins []namePin
	for i, line := range strings.Split(string(text), "\n") {
		if pin, ok := parseNameRule(line); ok {
			pin.file, pin.line = file, i
			pins = append(pins, pin)
		}
	}
	return pins
}

func parseNameRule(line string) (namePin, bool) {
	var pin namePin
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "#") || strings.HasSuffix(line, `\`) {
		return pin, false // a rule over several lines is left alone
	}
	net := false
	for _, t := range ruleTerm.FindAllStringSubmatch(line, -1) {
		switch key, op, value := t[1], t[2], t[3]; {
		case key == "SUBSYSTEM" && op == "==" && value == "net":
			net = true
		case strings.HasSuffix(key, "{address}") && op == "==": // ATTR, ATTRS, SYSFS
			pin.mac = normalMAC(value)
		case key == "DRIVERS" && op == "==" && value != "?*":
			pin.driver = value
		case key == "KERNEL" && op == "==":
			pin.kernel = value
		case key == "NAME" && (op == "=" || op == ":="):
			pin.name = value
		}
	}
	return pin, net && cardName(pin.name) && (pin.mac != "" || pin.driver != "")
}

// ruleText is a rule for the card with the MAC, or for the only one where mac is "". DRIVERS keeps it off bonds and VLANs, which have
// the MAC of their card.
func ruleText(name, mac string) string {
	if mac == "" {
		return fmt.Sprintf(`SUBSYSTEM=="net", ACTION=="add", DRIVERS=="%s", ATTR{type}=="1", NAME="%s"`, strings.Join(virtualNICDrivers, "|"), name)
	}
	return fmt.Sprintf(`SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="%s", ATTR{type}=="1", NAME="%s"`, mac, name)
}

// ruleEdits collects what is to be done with the guest's rules.
type ruleEdits struct {
	pins  []namePin // that are rules
	lines map[string]map[int]ruleEdit
	added []ruleEdit
}

// ruleEdit is one line as it shall be.
type ruleEdit struct {
	name, mac string
	drop      bool
	anew      bool // more than the MAC is wrong
	why       string
}

func newRuleEdits(pins []namePin) *ruleEdits {
	e := &ruleEdits{lines: map[string]map[int]ruleEdit{}}
	for _, p := range pins {
		if p.line >= 0 {
			e.pins = append(e.pins, p)
		}
	}
	return e
}

// find returns the last rule for a name: it is the one that counts.
func (e *ruleEdits) find(name string) *namePin {
	for i := len(e.pins) - 1; i >= 0; i-- {
		if e.pins[i].name == name {
			return &e.pins[i]
		}
	}
	return nil
}

func (e *ruleEdits) replace(pin namePin, edit ruleEdit) {
	if e.lines[pin.file] == nil {
		e.lines[pin.file] = map[int]ruleEdit{}
	}
	e.lines[pin.file][pin.line] = edit
}

func (e *ruleEdits) add(name, mac, why string) {
	e.added = append(e.added, ruleEdit{name: name, mac: mac, why: why})
}

// dropStale takes rules away for cards that the VM has no more. Where a MAC of the VM is not known, the rules may still be right.
func (e *ruleEdits) dropStale(plan netPlan) {
	if len(plan.nics) == 0 || len(plan.nics) > 1 && slices.ContainsFunc(plan.nics, func(n guest.NIC) bool { return n.MAC == "" }) {
		return
	}
	for _, pin := range e.pins {
		_, edited := e.lines[pin.file][pin.line]
		if edited || pin.mac == "" || plan.has(pin.mac) || pin.file != rulesFile {
			continue
		}
		e.replace(pin, ruleEdit{drop: true, why: "the VM has no card with the MAC " + pin.mac})
	}
}

// changes returns one change for each file.
func (e *ruleEdits) changes(ctx context.Context, tree guest.FS) ([]guest.Change, error) {
	files := slices.Sorted(maps.Keys(e.lines))
	addTo := rulesFile
	switch info, err := tree.Lstat(ctx, rulesFile); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case !info.Mode.IsRegular():
		addTo = rulesBeside
	}
	if len(e.added) > 0 && !slices.Contains(files, addTo) {
		files = append(files, addTo)
	}
	var changes []guest.Change
	for _, named := range files {
		file, err := guest.Resolve(ctx, tree, named)
		if err != nil {
			return nil, err
		}
		text, err := tree.ReadFile(ctx, file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		var added []ruleEdit
		if named == addTo {
			added = e.added
		}
		edited, why := editRules(string(text), e.lines[named], added)
		c, ok, err := guest.Create(ctx, tree, file, strings.Join(why, "; "), []byte(edited), 0o644)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path.Base(file), err)
		}
		if ok {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// editRules replaces and drops lines and appends rules. With a rule that is dropped goes the comment above it.
func editRules(text string, edits map[int]ruleEdit, added []ruleEdit) (edited string, why []string) {
	var out []string
	for i, line := range strings.Split(text, "\n") {
		edit, ok := edits[i]
		switch {
		case !ok:
			out = append(out, line)
			continue
		case edit.drop:
			if n := len(out); n > 0 && strings.HasPrefix(out[n-1], "# PCI device ") {
				out = out[:n-1]
			}
		default:
			out = append(out, replaceRule(line, edit))
		}
		why = append(why, edit.why)
	}
	edited = strings.Join(out, "\n")
	for _, edit := range added {
		if edited != "" && !strings.HasSuffix(edited, "\n") {
			edited += "\n"
		}
		edited += "# keeps the name that the network card had before the machine came to KVM\n" + ruleText(edit.name, edit.mac) + "\n"
		why = append(why, edit.why)
	}
	return edited, why
}

// replaceRule changes only the MAC of a rule where it can; what else of the source it asks for would keep it from matching.
func replaceRule(line string, edit ruleEdit) string {
	pin, _ := parseNameRule(line)
	if edit.anew || edit.mac == "" || pin.mac == "" || pin.driver != "" {
		return ruleText(edit.name, edit.mac)
	}
	return ruleTerm.ReplaceAllStringFunc(line, func(term string) string {
		t := ruleTerm.FindStringSubmatch(term)
		if strings.HasSuffix(t[1], "{address}") {
			return strings.Replace(term, `"`+t[3]+`"`, `"`+edit.mac+`"`, 1)
		}
		return term
	})
}
