package boottest

import (
	"bytes"
	"image/color"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func hear(text string) *console {
	c := newConsole(testToken)
	_, _ = c.Write([]byte(text))
	return c
}

// recorded are texts as guests write them, with what decides.
var recorded = map[string]struct {
	text     string
	why      string // its beginning; "" = nothing is decided
	evidence string
	login    string
}{
	"Debian comes up": {
		text:     "[    1.204518] EXT4-fs (vda1): mounted filesystem\r\n[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mMulti-User System\x1b[0m.\r\n\r\nhyper2kvm-boot-test " + testToken + " up\r\n\r\nDebian GNU/Linux 12 guest ttyS0\r\n\r\nguest login: ",
		why:      "the guest is up",
		evidence: "hyper2kvm-boot-test " + testToken + " up", login: "guest login:",
	},
	"a root that cannot be written": {
		text: "hyper2kvm-boot-test " + testToken + " read-only\r\n", why: "the guest is up, but its root", evidence: "hyper2kvm-boot-test " + testToken + " read-only",
	},
	"the kernel speaks in the middle": {
		text: "hyper2kvm-boot-te[   12.1] input: AT\r\nst " + testToken[:5] + "[   12.2] x\r\n\r\nhyper2kvm-boot-test " + testToken + " up\r\n",
		why:  "the guest is up", evidence: "hyper2kvm-boot-test " + testToken + " up",
	},
	"a panic without a root": {
		text:     "[    2.1] VFS: Cannot open root device \"sda1\"\r\n[    2.2] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\r\n",
		why:      "the kernel panicked",
		evidence: "[    2.2] Kernel panic - not syncing",
	},
	"initramfs-tools": {
		text: "ALERT!  /dev/sda1 does not exist.  Dropping to a shell!\r\n\r\nBusyBox v1.35.0 built-in shell (ash)\r\n(initramfs) ",
		why:  "the guest stopped in the shell of its initramfs", evidence: "ALERT!  /dev/sda1 does not exist.  Dropping to a shell!",
	},
	"only its prompt":      {text: "\r\n(initramfs) ", why: "the guest stopped in the shell of its initramfs", evidence: "(initramfs)"},
	"dracut":               {text: "Warning: /dev/sda2 does not exist\r\n\r\nGenerating \"/run/initramfs/rdsosreport.txt\"\r\n\r\n\r\nEntering emergency mode. Exit the shell to continue.\r\n", why: "the guest stopped in the shell of its initramfs", evidence: "Entering emergency mode. Exit the shell to continue"},
	"dracut's prompt":      {text: "\r\n\r\ndracut:/# ", why: "the guest stopped in the shell of its initramfs", evidence: "dracut:/#"},
	"systemd in emergency": {text: "You are in emergency mode. After logging in, type \"journalctl -xb\"\r\n", why: "the guest stopped in emergency mode", evidence: "You are in emergency mode"},
	"emergency in colours": {text: "[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mEmergency Mode\x1b[0m.\r\n", why: "the guest stopped in emergency mode", evidence: "[  OK  ] Reached target Emergency Mode"},
	"grub rescue":          {text: "GRUB loading.\r\nWelcome to GRUB!\r\n\r\nerror: no such partition.\r\ngrub rescue> ", why: "GRUB stopped at its prompt", evidence: "grub rescue>"},
	"grub by the firmware": {text: "\x1b[2J\x1b[01;01H\x1b[0m\x1b[3;19H Minimal BASH-like line editing\x1b[7;1Hgrub>\x1b[7;6H ", why: "GRUB stopped at its prompt", evidence: "grub>"},
	"SeaBIOS":              {text: "Booting from Hard Disk...\r\nBoot failed: not a bootable disk\r\n\r\nNo bootable device.", why: "the firmware found nothing to boot", evidence: "No bootable device"},
	"OVMF":                 {text: "BdsDxe: failed to load Boot0001 \"UEFI Misc Device\": Not Found\r\n\r\n>>Start PXE over IPv4.", why: "the firmware found nothing to boot and tries", evidence: ">>Start PXE over IPv"},
	"the UEFI shell":       {text: "\x1b[2J\x1b[1;33mUEFI Interactive Shell v2.2\r\n", why: "the firmware found nothing to boot but its own shell", evidence: "UEFI Interactive Shell"},

	"a disk that is passed over":     {text: "Booting from Hard Disk...\r\nBoot failed: not a bootable disk\r\n\r\nBooting from Hard Disk...\r\n"},
	"a prompt inside a line":         {text: "[    3.3] audit: type=1400 msg=\"grub> dracut:/# (initramfs) Shell>\"\r\n"},
	"the token alone":                {text: testToken + "\r\n" + testToken + " down\r\n"},
	"another test's token":           {text: "hyper2kvm-boot-test ZYXWVUTSRQPONMLKJIHGFEDCBA up\r\n"},
	"a panic setting":                {text: "Kernel command line: root=UUID=1 panic=10 oops=panic\r\n"},
	"a warning of dracut":            {text: "dracut-initqueue[300]: Warning: dracut-initqueue timeout - starting timeout scripts\r\n"},
	"a login prompt without a token": {text: "\r\nguest login: ", login: "guest login:"},
	"a greeting that is none":        {text: "Last login: Mon\r\nthe word login: x\r\n"},
}

func TestRecordedConsoles(t *testing.T) {
	for name, c := range recorded {
		t.Run(name, func(t *testing.T) {
			got := hear(c.text)
			if c.why == "" {
				if got.verdict != nil {
					t.Errorf("decided: %+v", *got.verdict)
				}
			} else if got.verdict == nil || !strings.HasPrefix(got.verdict.why, c.why) || got.verdict.evidence != c.evidence {
				t.Errorf("got %+v, want %q by %q", got.verdict, c.why, c.evidence)
			} else if got.verdict.passed != (c.why == "the guest is up") {
				t.Errorf("passed is %v", got.verdict.passed)
			}
			if got.login != c.login {
				t.Errorf("login %q, want %q", got.login, c.login)
			}
		})
	}
}

// TestEverySignIsFound, alone and behind a control sequence, and none hides another's meaning.
func TestEverySignIsFound(t *testing.T) {
	for _, s := range signs() {
		for _, before := range []string{"", "text before\r\n", "\x1b[1;1H", "   "} {
			if v := hear(before + s.text).verdict; v == nil || v.passed || v.evidence != s.text && s.start {
				t.Errorf("%q: %+v", before+s.text, v)
			}
		}
	}
}

func TestALineWithoutEnd(t *testing.T) {
	for n := maxLine - 2*len(testToken); n < maxLine+10; n++ {
		if v := hear(strings.Repeat("x", n) + testToken + " up").verdict; v == nil || !v.passed || len(v.evidence) > 400 {
			t.Fatalf("after %d bytes: %+v", n, v)
		}
	}
	c := hear(strings.Repeat("x", 1<<20))
	if cap(c.line) > 4*maxLine {
		t.Errorf("a line takes %d bytes", cap(c.line))
	}
}

// same compares what two consoles found.
func same(a, b *console) bool {
	if (a.verdict == nil) != (b.verdict == nil) || a.verdict != nil && *a.verdict != *b.verdict {
		return false
	}
	return a.login == b.login && a.relabels == b.relabels && a.last() == b.last()
}

// TestPiecesDoNotMatter cuts recorded texts anywhere.
func TestPiecesDoNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var text string
		for _, c := range recorded {
			if rapid.Bool().Draw(rt, "take") {
				text += c.text
			}
		}
		whole, pieces := hear(text), newConsole(testToken)
		for rest := []byte(text); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(rt, "n")
			_, _ = pieces.Write(rest[:n])
			rest = rest[n:]
		}
		if !same(whole, pieces) {
			rt.Fatalf("whole %+v %q, in pieces %+v %q", whole.verdict, whole.login, pieces.verdict, pieces.login)
		}
	})
}

// FuzzConsole takes any bytes. Properties: a guest never passes without the token; pieces do not matter; memory is bounded; what is shown
// is one line of valid text.
func FuzzConsole(f *testing.F) {
	for _, c := range recorded {
		f.Add([]byte(c.text), 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		whole, pieces := newConsole(testToken), newConsole(testToken)
		_, _ = whole.Write(b)
		n = 1 + max(n, 0)%7
		for rest := b; len(rest) > 0; rest = rest[min(n, len(rest)):] {
			_, _ = pieces.Write(rest[:min(n, len(rest))])
		}
		if !same(whole, pieces) {
			t.Errorf("whole %+v, in pieces %+v", whole.verdict, pieces.verdict)
		}
		if v := whole.verdict; v != nil {
			if v.passed && !strings.HasSuffix(v.evidence, testToken+" up") {
				t.Errorf("passed by %q", v.evidence)
			}
			if v.why == "" || v.evidence == "" || strings.ContainsAny(v.evidence, "\n\r\x1b\x00") || strings.ToValidUTF8(v.evidence, "") != v.evidence {
				t.Errorf("%+v", *v)
			}
		}
		if cap(whole.line) > 4*maxLine {
			t.Errorf("a line takes %d bytes", cap(whole.line))
		}
	})
}

func TestTheLogIsBounded(t *testing.T) {
	p, err := newPort(t.TempDir(), testToken)
	if err != nil {
		t.Fatal(err)
	}
	for range maxLog/(1<<20) + 1 {
		p.take(bytes.Repeat([]byte("y\n"), 1<<19))
	}
	p.take([]byte(testToken + " up"))
	if v := p.look().verdict; v == nil || !v.passed {
		t.Errorf("what comes behind a full log is not seen: %+v", v)
	}
	st, err := p.log.Stat()
	if err != nil || st.Size() != maxLog {
		t.Errorf("the log has %d bytes (%v)", st.Size(), err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}

func TestPPM(t *testing.T) {
	img, err := decodePPM(strings.NewReader("P6\n2 1\n255\nabcdef"))
	if err != nil || img.Bounds().Dx() != 2 || img.At(1, 0) != (color.RGBA{'d', 'e', 'f', 255}) {
		t.Errorf("%v, %v", img, err)
	}
	for _, bad := range []string{"", "P5\n1 1\n255\na", "P6\n0 1\n255\n", "P6\n1 1\n65535\naa", "P6\n100000 100000\n255\n", "P6\n2 2\n255\nabc", "P6\n-1 -1\n255\n"} {
		if img, err := decodePPM(strings.NewReader(bad)); err == nil {
			t.Errorf("%q: %v", bad, img.Bounds())
		}
	}
}
