// Package manpage writes manual pages in the language of man(7), from the tables that the programs check their input with.
package manpage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Page is one manual page.
type Page struct {
	Name     string // hyperctl-workflow-list
	Number   int    // of the part of the manual: 1, 5 or 8
	Short    string // one line
	Version  string // of the program
	Sections []Section
	See      []string // other pages, as in hyperctl(1)
}

// Section is a part of a page: text, then a list of terms.
type Section struct {
	Title string
	// Text has paragraphs between empty lines. Lines that begin with two blanks are shown as they are.
	Text  string
	Items []Item
}

// Item is a term and what it means.
type Item struct {
	Term string
	Text string // as the text of a Section
}

// File is the name of a page below a directory for manual pages.
func (p Page) File() string { return fmt.Sprintf("man%d/%s.%d", p.Number, p.Name, p.Number) }

// Bytes is the page as man reads it.
func (p Page) Bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, ".\\\" Written from the program itself; do not change it here.\n")
	fmt.Fprintf(&b, ".TH %s %d \"\" %s %s\n", quote(strings.ToUpper(p.Name)), p.Number, quote("hyper2kvm "+p.Version), quote("hyper2kvm"))
	b.WriteString(".nh\n.ad l\n")
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(p.Name), escape(p.Short))
	for _, s := range p.Sections {
		if s.Text == "" && len(s.Items) == 0 {
			continue
		}
		fmt.Fprintf(&b, ".SH %s\n", quote(strings.ToUpper(s.Title)))
		text(&b, s.Text, ".PP")
		for _, it := range s.Items {
			fmt.Fprintf(&b, ".TP\n.B %s\n", quote(it.Term))
			text(&b, it.Text, ".IP")
		}
	}
	if len(p.See) > 0 {
		b.WriteString(".SH \"SEE ALSO\"\n")
		for i, page := range p.See {
			name, part, _ := strings.Cut(page, "(")
			end := ","
			if i == len(p.See)-1 {
				end = ""
			}
			fmt.Fprintf(&b, ".BR %s \"(%s%s\"\n", escape(name), escape(part), end)
		}
	}
	return b.Bytes()
}

// text writes paragraphs and what is shown as it is.
func text(b *bytes.Buffer, s, paragraph string) {
	raw, first := false, true
	gap := false
	for line := range strings.Lines(strings.Trim(s, "\n")) {
		line = strings.TrimRight(line, " \t\n")
		switch asIs := strings.HasPrefix(line, "  "); {
		case line == "":
			gap = true
			continue
		case asIs && !raw:
			if !first {
				b.WriteString(paragraph + "\n")
			}
			b.WriteString(".nf\n")
			raw = true
		case !asIs && raw:
			b.WriteString(".fi\n" + paragraph + "\n")
			raw = false
		case gap && raw:
			b.WriteString("\n")
		case gap && !first:
			b.WriteString(paragraph + "\n")
		}
		gap, first = false, false
		b.WriteString(protect(escape(line)) + "\n")
	}
	if raw {
		b.WriteString(".fi\n")
	}
}

// escape takes their meaning from the characters that troff has its own ideas about.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
}

// protect keeps a line from being taken for a request.
func protect(s string) string {
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}

// quote makes one argument of a request.
func quote(s string) string { return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"` }

// Write puts pages below a directory for manual pages.
func Write(dir string, pages []Page) error {
	for _, p := range pages {
		path := filepath.Join(dir, filepath.FromSlash(p.File()))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, p.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
