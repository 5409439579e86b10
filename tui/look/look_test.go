package look_test

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/charmbracelet/lipgloss"
	"github.com/mattn/go-runewidth"
	"github.com/muesli/termenv"
	"github.com/rivo/uniseg"
	"pgregory.net/rapid"

	"hyper2kvm/tui/look"
)

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil || len(hex) != 7 {
		t.Fatalf("%q is not a colour", hex)
	}
	part := func(c uint64) float64 {
		f := float64(c&255) / 255
		if f <= 0.04045 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*part(n>>16) + 0.7152*part(n>>8) + 0.0722*part(n)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

// of256 is what a terminal of 256 colours makes of a colour.
func of256(hex string) string { return termenv.ConvertToRGB(termenv.ANSI256.Color(hex)).Hex() }

func TestThemesAreReadable(t *testing.T) {
	for name, p := range look.Palettes {
		least := 4.5 // WCAG AA
		if name == "high-contrast" {
			least = 7 // AAA
		}
		if name == "auto" {
			for role, c := range p.Roles {
				if n, err := strconv.Atoi(c); c != "" && (err != nil || n > 15) {
					t.Errorf("auto: role %d is %q; only the terminal's own sixteen colours fit every ground", role, c)
				}
			}
			continue
		}
		for role, c := range p.Roles {
			for _, ground := range []string{p.Ground, p.Selected} {
				if got := contrast(t, c, ground); got < least {
					t.Errorf("%s: role %d %s on %s has contrast %.2f, want %.1f", name, role, c, ground, got, least)
				}
				c, ground := of256(c), of256(ground)
				if got := contrast(t, c, ground); got < 4.5 {
					t.Errorf("%s with 256 colours: role %d %s on %s has contrast %.2f", name, role, c, ground, got)
				}
			}
		}
	}
}

func TestEveryThemePaints(t *testing.T) {
	for _, name := range look.Themes {
		p, err := look.NewPainter(name, termenv.TrueColor, true)
		if err != nil {
			t.Fatal(err)
		}
		got := p.Line(10, true, look.Span{Text: "x", Role: look.Bad})
		if strings.Contains(got, "\x1b") == (name == "mono") {
			t.Errorf("%s paints %q", name, got)
		}
		if lipgloss.Width(got) != 10 {
			t.Errorf("%s: %q is %d wide", name, got, lipgloss.Width(got))
		}
	}
	if _, err := look.NewPainter("pink", termenv.TrueColor, true); err == nil {
		t.Error("an unknown theme is accepted")
	}
}

// TestLineNeverLeavesTheScreen holds lines of hostile text to their width, by every way of measuring it.
func TestLineNeverLeavesTheScreen(t *testing.T) {
	hostile := rapid.OneOf(rapid.String(), rapid.StringMatching(`[\x00-\x1f\x7f]*`), rapid.SampledFrom([]string{
		"日本語のディスク.vmdk", "e\u0301e\u0301", "👩‍👩‍👧‍👦", "❤️", "\u202Egnp.exe", "\x1b[2J\x1b]0;owned\a", "\u009b2J", "a\tb", "ไทย", "\xff\xfe", "한국어",
	}))
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(0, 60).Draw(t, "width")
		utf := rapid.Bool().Draw(t, "utf8")
		p, err := look.NewPainter("mono", termenv.Ascii, utf)
		if err != nil {
			t.Fatal(err)
		}
		s := rapid.SliceOfN(hostile, 1, 4).Draw(t, "spans")
		var spans []look.Span
		for _, x := range s {
			spans = append(spans, look.Span{Text: x})
		}
		got := p.Line(width, false, spans...)
		for how, n := range map[string]int{"runewidth": runewidth.StringWidth(got), "uniseg": uniseg.StringWidth(got), "lipgloss": lipgloss.Width(got)} {
			if n > width {
				t.Fatalf("%q is %d wide by %s, the screen is %d", got, n, how, width)
			}
		}
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if r < 0x20 || r >= 0x7f && r <= 0x9f || r >= 0x2028 && r <= 0x202e || !utf && r >= 0x7f {
				t.Fatalf("%q holds %U", got, r)
			}
		}
	})
}

func TestWrapLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(2, 40).Draw(t, "width")
		s := rapid.StringMatching(`[a-z日本 ]{0,80}`).Draw(t, "text")
		got := look.Wrap(s, width)
		for _, l := range got {
			if look.Width(l) > width {
				t.Fatalf("%q is wider than %d", l, width)
			}
		}
		if strip(strings.Join(got, "")) != strip(s) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func strip(s string) string { return strings.Join(strings.Fields(s), "") }

func TestSixteenColorsAreTheTerminalsOwn(t *testing.T) {
	span := look.Span{Text: "x", Role: look.Bad}
	auto, _ := look.NewPainter("auto", termenv.ANSI, true)
	for _, name := range look.Themes[1 : len(look.Themes)-1] {
		p, err := look.NewPainter(name, termenv.ANSI, true)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := p.Line(3, true, span), auto.Line(3, true, span); got != want {
			t.Errorf("%s paints %q, want %q", name, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		look.Bytes(512): "512 B", look.Bytes(40 << 30): "40.0 GiB", look.Bytes(1000 << 20): "0.98 GiB", look.Rate(96e6): "96 MB/s", look.Rate(0): "",
		look.ETA(-1): "", look.ETA(250): "4m10s", look.ETA(math.Inf(1)): "", look.ETA(4320): "1h12m",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSparklineAndBar(t *testing.T) {
	p, _ := look.NewPainter("mono", termenv.Ascii, true)
	if got := p.Sparkline([]float64{9, 0, 4, 8}, 3); got != "▁▄█" {
		t.Errorf("sparkline %q", got)
	}
	if got := p.Bar(0.5, 4); got != "██░░" {
		t.Errorf("bar %q", got)
	}
	if got := p.Bar(7, 2) + p.Bar(-1, 2); got != "██░░" {
		t.Errorf("bars %q", got)
	}
}
