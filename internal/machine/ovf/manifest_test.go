package ovf

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hyper2kvm/internal/machine"
)

func TestManifest(t *testing.T) {
	content := "some disk"
	s1, s256, s512 := sha1.Sum([]byte(content)), sha256.Sum256([]byte(content)), sha512.Sum512([]byte(content))
	text := fmt.Sprintf("\ufeffSHA1(a.ovf)= %x\r\n\n   SHA256 (b (1).vmdk) =%X\nsha512(./dir/c.vmdk)=   %x  \nSHA-256(d)= %x", s1, s256, s512, s256)
	m, err := ParseManifest(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range m {
		got = append(got, d.Algorithm()+" "+d.File)
	}
	if want := "SHA1 a.ovf,SHA256 b (1).vmdk,SHA512 dir/c.vmdk,SHA256 d"; strings.Join(got, ",") != want {
		t.Errorf("lines %q, want %q", got, want)
	}
	for _, d := range m {
		if err := m.Verify(d.File, strings.NewReader(content)); err != nil {
			t.Errorf("%s: %v", d.File, err)
		}
		err := m.Verify(d.File, strings.NewReader(content+"!"))
		if !errors.Is(err, machine.ErrChecksum) || !strings.Contains(err.Error(), d.File) || !strings.Contains(err.Error(), d.Sum) {
			t.Errorf("%s: changed content gives %v", d.File, err)
		}
	}
	other := sha256.Sum256([]byte(content + "!"))
	if err := m.Verify("d", strings.NewReader(content+"!")); !strings.Contains(err.Error(), fmt.Sprintf("%x", other)) {
		t.Errorf("the error does not tell what was found: %v", err)
	}
	if err := m.Verify("unlisted", strings.NewReader("x")); err != nil {
		t.Errorf("unlisted file: %v", err)
	}
}

func TestManifestRefusals(t *testing.T) {
	sum := strings.Repeat("a", 40)
	for text, kind := range map[string]error{
		"nonsense":                               machine.ErrDescriptor,
		"SHA1(a)= " + sum + "aa":                 machine.ErrDescriptor,
		"SHA1(a)= " + sum[1:]:                    machine.ErrDescriptor,
		"SHA1()= " + sum:                         machine.ErrMember,
		"MD5(a)= " + sum:                         machine.ErrUnsupported,
		"SHA1(/etc/passwd)= " + sum:              machine.ErrMember,
		"SHA1(../a)= " + sum:                     machine.ErrMember,
		"SHA1(a)= " + sum + "\nSHA1(./a)=" + sum: machine.ErrDescriptor,
		strings.Repeat("x", maxLine+1):           machine.ErrDescriptor,
		strings.Repeat("\n", MaxManifestBytes+1): machine.ErrLimit,
	} {
		if m, err := ParseManifest(strings.NewReader(text)); m != nil || !errors.Is(err, kind) {
			t.Errorf("%.60q: %v %v, want %v", text, m, err, kind)
		}
	}
	if m, err := ParseManifest(strings.NewReader("  \n" + strings.Repeat(" ", 60))); err != nil || len(m) != 0 {
		t.Errorf("blank manifest: %v %v", m, err)
	}
}

func TestManifestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zA-Z0-9 ().=_-]{0,20}[a-z]`), 0, 8, strings.TrimSpace).Draw(t, "names")
		var text strings.Builder
		space := rapid.SampledFrom([]string{"", " ", "\t"})
		for _, n := range names {
			fmt.Fprintf(&text, "%sSHA256%s(%s)%s=%s%x\n", space.Draw(t, "a"), space.Draw(t, "b"), n, space.Draw(t, "c"), space.Draw(t, "d"), sha256.Sum256([]byte(n)))
		}
		m, err := ParseManifest(strings.NewReader(text.String()))
		if err != nil || len(m) != len(names) {
			t.Fatalf("%d of %d lines: %v\n%s", len(m), len(names), err, &text)
		}
		for i, n := range names {
			if m[i].File != strings.TrimSpace(n) {
				t.Fatalf("name %q, want %q", m[i].File, n)
			}
			if err := m[i].Verify(strings.NewReader(n)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add("SHA256(a (1).vmdk)= " + strings.Repeat("0f", 32) + "\n")
	f.Add("\ufeff SHA1 (b) =" + strings.Repeat("A", 40) + "\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseManifest(strings.NewReader(text))
		if err != nil && m != nil {
			t.Fatal("lines beside an error")
		}
		for _, d := range m {
			if clean, err := machine.RelativeName(d.File); err != nil || clean != d.File || strings.ToLower(d.Sum) != d.Sum {
				t.Fatalf("%+v: %v", d, err)
			}
		}
	})
}
