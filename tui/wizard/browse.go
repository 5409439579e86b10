package wizard

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"

	"hyper2kvm/tui/look"
)

// browser is where a file is chosen.
type browser struct {
	dir     string
	reading string // the directory that is being read; "" = none
	entries []Entry
	more    bool
	err     error
	at      int
	hidden  bool
	facts   map[string]probed // by path
	probing int
}

// probed is what is known of a file.
type probed struct {
	facts Facts
	err   error
	done  bool
}

// shown are the entries that are listed.
func (b *browser) shown() []Entry {
	var out []Entry
	if b.dir != "/" {
		out = append(out, Entry{Name: "..", Dir: true})
	}
	for _, e := range b.entries {
		if b.hidden || !strings.HasPrefix(e.Name, ".") {
			out = append(out, e)
		}
	}
	return out
}

// under is the entry of the cursor.
func (b *browser) under() (Entry, bool) {
	all := b.shown()
	b.at = min(max(b.at, 0), max(len(all)-1, 0))
	if b.at >= len(all) {
		return Entry{}, false
	}
	return all[b.at], true
}

// path is where an entry lies.
func (b *browser) path(e Entry) string { return filepath.Join(b.dir, e.Name) }

// next is a file that is worth a look: the one under the cursor, then those around it that may be on the screen.
func (b *browser) next(height int) (string, bool) {
	all := b.shown()
	for off := range max(height, 1) {
		for _, i := range []int{b.at + off, b.at - off} {
			if i < 0 || i >= len(all) || all[i].Dir || all[i].Odd {
				continue
			}
			path := b.path(all[i])
			if _, known := b.facts[path]; !known {
				return path, true
			}
		}
	}
	return "", false
}

// whole is the image that a file belongs to as a part; "" for none that is known.
func (b *browser) whole(name string) string {
	for _, e := range b.entries {
		if p, ok := b.facts[b.path(e)]; ok && p.done && e.Name != name && slices.Contains(p.facts.Parts, name) {
			return e.Name
		}
	}
	return ""
}

func (m *model) gotList(msg listedMsg) {
	if msg.dir != m.files.reading {
		return
	}
	b := &m.files
	b.reading = ""
	if msg.err != nil {
		if b.entries == nil {
			b.err = msg.err
		}
		m.say(look.Bad, "cannot read "+msg.dir+": "+msg.err.Error())
		return
	}
	was := b.dir
	b.dir, b.entries, b.more, b.err, b.at = msg.dir, msg.entries, msg.more, nil, 0
	b.facts = map[string]probed{}
	for i, e := range b.shown() {
		if filepath.Join(b.dir, e.Name) == was || e.Name != ".." && b.at == 0 && !e.Dir {
			b.at = i
			if filepath.Join(b.dir, e.Name) == was {
				break
			}
		}
	}
}

func (m *model) gotProbe(msg probedMsg) {
	m.files.probing--
	if _, wanted := m.files.facts[msg.path]; wanted {
		m.files.facts[msg.path] = probed{msg.facts, msg.err, true}
	}
}

// openEntry goes into a folder, or takes a file.
func (m *model) openEntry() tea.Cmd {
	e, ok := m.files.under()
	switch {
	case !ok:
		return nil
	case e.Dir:
		return m.list(m.files.path(e))
	}
	return m.take(e, false)
}

// takeEntry adds a file to the disks of the VM, or takes it out.
func (m *model) takeEntry() tea.Cmd {
	e, ok := m.files.under()
	if !ok || e.Dir {
		return nil
	}
	cmd := m.take(e, true)
	m.files.at++
	return cmd
}

// take makes a file the source, or with more one of its disks.
func (m *model) take(e Entry, more bool) tea.Cmd {
	path := m.files.path(e)
	switch {
	case e.Odd:
		m.say(look.Warn, e.Name+" is neither a file nor a folder")
		return nil
	case !utf8.ValidString(path) || strings.ContainsFunc(path, unicode.IsControl):
		m.say(look.Warn, e.Name+" cannot be written in a manifest: rename the file")
		return nil
	}
	in := m.current().Inputs()
	i := slices.Index(in, path)
	switch {
	case more && i >= 0:
		in = slices.Delete(in, i, i+1)
	case more:
		in = append(in, path)
	default:
		in = []string{path}
	}
	m.current().Set("input", strings.Join(in, "\n"))
	m.changed()
	if more {
		m.say(look.Dim, fmt.Sprintf("%d disks; tab goes on", len(in)))
		return nil
	}
	m.page = pageSource
	m.say(look.Dim, "tab goes on, b goes back to the files")
	if beside := m.beside(path); beside != "" {
		m.say(look.Key, beside+" describes this VM: v takes its name, CPUs, memory and network cards")
	}
	return m.describe(path, false)
}

// beside is the description that lies beside a disk under the same name; "" for none.
func (m *model) beside(path string) string {
	if filepath.Dir(path) != m.files.dir {
		return ""
	}
	stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	for _, e := range m.files.entries {
		ext := strings.ToLower(filepath.Ext(e.Name))
		if !e.Dir && !e.Odd && (ext == ".vmx" || ext == ".ovf") && strings.TrimSuffix(e.Name, filepath.Ext(e.Name)) == stem && filepath.Base(path) != e.Name {
			return e.Name
		}
	}
	return ""
}

// takeDescription fills in what a description says: the one under the cursor, else the one beside the source, else the source.
func (m *model) takeDescription() tea.Cmd {
	path := ""
	if in := m.current().Inputs(); len(in) > 0 {
		if path = in[0]; !filepath.IsAbs(path) {
			path = filepath.Join(m.opt.Dir, path)
		}
		if beside := m.beside(path); beside != "" {
			path = filepath.Join(filepath.Dir(path), beside)
		}
	}
	if e, ok := m.files.under(); ok && m.page == pageFiles && !e.Dir && !e.Odd {
		path = m.files.path(e)
	}
	if path == "" {
		m.say(look.Dim, "there is no source yet")
		return nil
	}
	m.say(look.Dim, "reading "+filepath.Base(path)+" ...")
	return m.describe(path, true)
}

// goTo asks for a folder by its path.
func (m *model) goTo() tea.Cmd {
	m.type_("folder", strings.TrimSuffix(m.files.dir, "/")+"/", nil, func(s string) tea.Cmd {
		if s == "" {
			return nil
		}
		if !filepath.IsAbs(s) {
			s = filepath.Join(m.files.dir, s)
		}
		return m.list(filepath.Clean(s))
	}, nil)
	return nil
}
