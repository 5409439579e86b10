package linux

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const shellSample = `# If you change this file, run 'update-grub' afterwards
GRUB_DEFAULT=0
 export GRUB_TIMEOUT=5   # seconds
GRUB_DISTRIBUTOR=` + "`lsb_release -i -s 2> /dev/null || echo Debian`" + `
GRUB_CMDLINE_LINUX_DEFAULT='quiet splash'
GRUB_CMDLINE_LINUX="root=/dev/sda1 \
 resume=/dev/sda5"
GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX net.ifnames=0"
#GRUB_TERMINAL=console
BROKEN="never closed
LAST=x`

func TestShellVarsGet(t *testing.T) {
	s := parseShellVars([]byte(shellSample))
	for key, want := range map[string]string{
		"GRUB_DEFAULT":               "0",
		"GRUB_TIMEOUT":               "5",
		"GRUB_CMDLINE_LINUX_DEFAULT": "quiet splash",
		"GRUB_CMDLINE_LINUX":         "$GRUB_CMDLINE_LINUX net.ifnames=0",
		"LAST":                       "x",
	} {
		if got, ok := s.Get(key); !ok || got != want {
			t.Errorf("Get(%s) = %q, %v, want %q", key, got, ok, want)
		}
	}
	for _, key := range []string{"GRUB_TERMINAL", "", "NONE"} {
		if got, ok := s.Get(key); ok {
			t.Errorf("Get(%s) = %q", key, got)
		}
	}
}

func TestShellVarsEdit(t *testing.T) {
	tests := []struct {
		name, in, want string
		edit           func(s *shellVars)
	}{
		{"bare", "A=1\nB=2\n", "A=3\nB=2\n", func(s *shellVars) { s.Set("A", "3") }},
		{"bare that needs quotes", "A=1\n", "A=\"b c\"\n", func(s *shellVars) { s.Set("A", "b c") }},
		{"single", "A='1'  # why\n", "A='b c'  # why\n", func(s *shellVars) { s.Set("A", "b c") }},
		{"single that cannot stay", "A='1'\n", "A=\"b'c\"\n", func(s *shellVars) { s.Set("A", "b'c") }},
		{"dollar is text", "A=\"1\"\n", "A=\"\\$x\"\n", func(s *shellVars) { s.Set("A", "$x") }},
		{"dollar is an expansion", "A=\"$A 1\"\n", "A=\"$A 2\"\n", func(s *shellVars) { s.Set("A", "$A 2") }},
		{"last one counts", "A=1\nA=2\n", "A=1\nA=3\n", func(s *shellVars) { s.Set("A", "3") }},
		{"plus goes", "A=1\nA+=2\nB=1\n", "A=3\nB=1\n", func(s *shellVars) { s.Set("A", "3") }},
		{"append", "A=1\n", "A=1\nB=2\n", func(s *shellVars) { s.Set("B", "2") }},
		{"append without end", "A=1", "A=1\nB=2", func(s *shellVars) { s.Set("B", "2") }},
		{"append CRLF", "A=1\r\n", "A=1\r\nB=2\r\n", func(s *shellVars) { s.Set("B", "2") }},
		{"CRLF", "A=1\r\nB=\"2\"\r\n", "A=3\r\nB=\"4\"\r\n", func(s *shellVars) { s.Set("A", "3"); s.Set("B", "4") }},
		{"same value keeps all", "A=\"1\"'2'\n", "A=\"1\"'2'\n", func(s *shellVars) { s.Set("A", "12") }},
		{"remove", "A=1\nB=2\nA=3\n", "B=2\n", func(s *shellVars) { s.Remove("A") }},
		{"comment", "A=\"1\n2\"\nB=2\n", "#A=\"1\n#2\"\nB=2\n", func(s *shellVars) { s.Comment("A") }},
		{"rewrite keeps escapes", "A=\"\\$x $y one\"\n", "A=\"\\$x $y two\"\n", func(s *shellVars) {
			s.Rewrite("A", func(v string) string { return string(bytes.ReplaceAll([]byte(v), []byte("one"), []byte("two"))) })
		}},
		{"rewrite leaves parts alone", "A=\"x\"y\n", "A=\"x\"y\n", func(s *shellVars) {
			if s.Rewrite("A", func(string) string { return "z" }) {
				t.Error("Rewrite of a value of parts is ok")
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := parseShellVars([]byte(tt.in))
			tt.edit(s)
			if got := string(s.Bytes()); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestShellVarsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([A-C]\+?=("[a \\"'$]*"|'[a "\n]*'|[a'"\\]*)( # x)?\r?\n|#[A-C]=.*\n|[ \t]?export [AB]=1;x\n){0,6}[A-C]?=?`).Draw(t, "text")
		s := parseShellVars([]byte(text))
		if got := string(s.Bytes()); got != text {
			t.Fatalf("parsed and written is %q", got)
		}
		key := rapid.SampledFrom([]string{"A", "B", "C", "D"}).Draw(t, "key")
		value := rapid.StringMatching("[a-c \"'`\\\\;#]{0,6}").Draw(t, "value")
		if shellBroken(s) {
			return
		}
		s.Set(key, value)
		again := parseShellVars(s.Bytes())
		if got, ok := again.Get(key); !ok || got != value {
			t.Fatalf("set to %q, read as %q, %v: %q", value, got, ok, s.Bytes())
		}
		once := string(again.Bytes())
		again.Set(key, value)
		if string(again.Bytes()) != once {
			t.Fatalf("set twice changes %q to %q", once, again.Bytes())
		}
	})
}

// shellBroken reports whether a line runs into the next one in a way that no shell would take: a quote that is never closed.
func shellBroken(s *shellVars) bool {
	for _, l := range s.lines {
		if l.key == "" && strings.ContainsAny(l.head, "=") || strings.HasSuffix(l.value, "\n") || strings.HasSuffix(l.value, "\\") {
			return true
		}
	}
	return false
}

func FuzzShellVars(f *testing.F) {
	f.Add([]byte(shellSample), "GRUB_DEFAULT", "saved")
	f.Add([]byte("A='\r\n"), "A", "b c")
	f.Fuzz(func(t *testing.T, text []byte, key, value string) {
		s := parseShellVars(text)
		if !bytes.Equal(s.Bytes(), text) {
			t.Fatalf("%q became %q", text, s.Bytes())
		}
		if key == "" || shellNameLen(key) != len(key) || bytes.ContainsAny([]byte(value), "$\x00\n\r\\") || shellBroken(s) {
			return
		}
		s.Set(key, value)
		if got, ok := parseShellVars(s.Bytes()).Get(key); !ok || got != value {
			t.Fatalf("set %s to %q, read as %q, %v: %q", key, value, got, ok, s.Bytes())
		}
	})
}
