package manpage

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func example() Page {
	return Page{
		Name: "hyperctl-x", Number: 1, Short: "do a thing - well", Version: "1.2",
		Sections: []Section{
			{Title: "Description", Text: ".first line\n'second\n\nA paragraph with \\n and --flag.\n\n  as it is   a-b\n  .so /etc/passwd\n\n  more\nEnd."},
			{Title: "Options", Items: []Item{{Term: `-o, --output "x"`, Text: "One.\n\n  code\n\nTwo."}}},
			{Title: "Nothing"},
		},
		See: []string{"hyperctl(1)", "hyper2kvmd(8)"},
	}
}

func TestPage(t *testing.T) {
	want := `.\" Written from the program itself; do not change it here.
.TH "HYPERCTL\-X" 1 "" "hyper2kvm 1.2" "hyper2kvm"
.nh
.ad l
.SH NAME
hyperctl\-x \- do a thing \- well
.SH "DESCRIPTION"
\&.first line
\(aqsecond
.PP
A paragraph with \en and \-\-flag.
.PP
.nf
  as it is   a\-b
  .so /etc/passwd

  more
.fi
.PP
End.
.SH "OPTIONS"
.TP
.B "\-o, \-\-output \(dqx\(dq"
One.
.IP
.nf
  code
.fi
.IP
Two.
.SH "SEE ALSO"
.BR hyperctl "(1),"
.BR hyper2kvmd "(8)"
`
	if got := string(example().Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestManReadsIt: groff has nothing to say against a page, and shows all of its text.
func TestManReadsIt(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is not here: apt-get install groff, or groff-base")
	}
	page := example().Bytes()
	cmd := exec.Command("groff", "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u")
	cmd.Stdin = bytes.NewReader(page)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Fatalf("%v: %s", err, errs.String())
	}
	for _, want := range []string{".first line 'second", `\n and --flag`, "as it is   a-b", ".so /etc/passwd", `-o, --output "x"`, "hyperctl(1), hyper2kvmd(8)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown in\n%s", want, out.String())
		}
	}
}

// TestNoTextIsARequest: whatever a text holds, no line of a page is a request that we did not write, and no backslash means a thing.
func TestNoTextIsARequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Page{Name: "x", Number: 1, Short: "s", Sections: []Section{{Title: "T", Text: rapid.StringOf(rapid.RuneFrom([]rune(".'\\\n -a\"so"))).Draw(t, "text")}}}
		_, body, _ := strings.Cut(string(p.Bytes()), ".SH \"T\"\n")
		for line := range strings.Lines(body) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && line != ".PP" && line != ".nf" && line != ".fi" {
				t.Fatalf("the line %q is a request", line)
			}
			for _, known := range []string{`\e`, `\-`, `\&`, `\(aq`} {
				line = strings.ReplaceAll(line, known, "")
			}
			if strings.Contains(line, `\`) {
				t.Fatalf("an escape is left in %q", line)
			}
		}
	})
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, []Page{example()}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "man1", "hyperctl-x.1"))
	if err != nil || !bytes.Equal(b, example().Bytes()) {
		t.Error(err)
	}
}
