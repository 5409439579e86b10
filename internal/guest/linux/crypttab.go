package linux

import (
	"context"
	"strings"

	"hyper2kvm/internal/guest"
)

// crypttabFixer gives the containers in crypttab names that hold on every controller. Key files are left alone.
type crypttabFixer struct{ mode string }

// Name implements guest.Fixer.
func (crypttabFixer) Name() string { return "crypttab" }

// Plan implements guest.Fixer.
func (f crypttabFixer) Plan(ctx context.Context, system guest.System, tree guest.FS) (guest.Proposal, error) {
	files := &fileSet{tree: tree}
	d, err := newDevices(ctx, files, system)
	if err != nil {
		return guest.Proposal{}, err
	}
	err = files.edit(ctx, []string{"/etc/crypttab"}, "encrypted devices are named by what stays the same on virtio", func(_, content string) string {
		return f.rewrite(d, files, content)
	})
	return files.proposal, err
}

// crypttabLine is an entry with every byte of it.
type crypttabLine struct {
	lead, spec, gap, rest string
	scratch               bool // made anew at each start, with a random key: there is no UUID on it that would last
}

func parseCrypttabLine(line string) (l crypttabLine, ok bool) {
	text := strings.TrimRight(line, "\r\n")
	end := line[len(text):]
	fields := strings.Fields(text)
	if len(fields) < 2 || fields[0][0] == '#' {
		return crypttabLine{}, false
	}
	blanks, text := cutBlanks(text)
	name, text := cutField(text)
	between, text := cutBlanks(text)
	l.lead = blanks + name + between
	l.spec, text = cutField(text)
	l.gap, text = cutBlanks(text)
	l.rest = text + end
	if len(fields) > 2 {
		l.scratch = fields[2] == "/dev/urandom" || fields[2] == "/dev/random" || fields[2] == "/dev/hw_random"
	}
	return l, true
}

// use is what the entry says of its device; options may say that there is no LUKS.
func (l crypttabLine) use() use {
	want := "luks"
	if l.scratch || strings.Contains(l.rest, "plain") || strings.Contains(l.rest, "tcrypt") || strings.Contains(l.rest, "bitlk") {
		want = "any"
	}
	return use{spec: l.spec, want: want}
}

func (f crypttabFixer) rewrite(d *devices, files *fileSet, content string) string {
	var uses []use
	for line := range strings.Lines(content) {
		if l, ok := parseCrypttabLine(line); ok {
			uses = append(uses, l.use())
		}
	}
	aliases := d.aliases(uses)
	var out strings.Builder
	number := 0
	for line := range strings.Lines(content) {
		number++
		if l, ok := parseCrypttabLine(line); ok && touches(f.mode, l.spec) {
			line = l.lead + f.spec(d, files, aliases, number, &l) + l.gap + l.rest
		}
		out.WriteString(line)
	}
	return out.String()
}

// spec returns the stable name of an entry's device. Beside UUID=, which every crypttab understands, a path is what all take.
func (f crypttabFixer) spec(d *devices, files *fileSet, aliases map[string]int, number int, l *crypttabLine) string {
	found := d.find(l.use(), aliases)
	switch found.fate {
	case fateLost:
		files.warn("Look at /etc/crypttab in the guest: without the device the system may stop while it starts.",
			"line %d of /etc/crypttab is kept: %q: %s", number, l.spec, found.why)
		return l.spec
	case fateFound:
		forms := []idForm{{kinds: idKinds[:1]}, {path: true, kinds: idKinds[1:]}}
		if l.scratch {
			forms = []idForm{{path: true, kinds: []idKind{idKinds[1], idKinds[3]}}}
		}
		for _, form := range forms {
			id, ok := d.write(found.volume, form)
			if !ok {
				continue
			}
			if strings.Trim(l.gap, " ") == "" && l.gap != "" {
				l.gap = strings.Repeat(" ", max(1, len(l.gap)+len(l.spec)-len(id)))
			}
			return id
		}
		files.warn("Give the partition an id of its own.", "line %d of /etc/crypttab is kept: %q has no id that is its own", number, l.spec)
	}
	return l.spec
}
