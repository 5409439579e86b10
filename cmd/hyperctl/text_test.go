package main

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"web01.vmdk":             "web01.vmdk",
		"":                       "",
		"büro-日本.vmdk":           "büro-日本.vmdk",
		"a\x1b[31mred\x1b[0m":    `a\x1b[31mred\x1b[0m`,
		"two\nlines\ttab\r":      `two\x0alines\x09tab\x0d`,
		"bad\xff\xfeutf8":        `bad\xff\xfeutf8`,
		"c1\u009b31m":            `c1\u009b31m`,
		"exe\u202egnp.vmdk":      `exe\u202egnp.vmdk`,
		"zero\u200bwidth\ufeff":  `zero\u200bwidth\ufeff`,
		"del\x7f":                `del\x7f`,
		"para\u2029line\u2028":   `para\u2029line\u2028`,
		"replacement \ufffd own": "replacement \ufffd own",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCleanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		for _, got := range []string{clean(s), cleanLine(s)} {
			if !utf8.ValidString(got) {
				t.Fatalf("%q is not UTF-8", got)
			}
			if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%q has an unprintable character at %d", got, i)
			}
		}
		if got := clean(s); clean(got) != got {
			t.Fatalf("cleaning %q twice changes it", s)
		}
	})
}

func TestSizesAndTimes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 512: "512 B", 999: "999 B", 1023: "1.00 KiB", 1024: "1.00 KiB", 65536: "64.0 KiB", 1 << 30: "1.00 GiB",
		40 << 30: "40.0 GiB", 500 << 30: "500 GiB", 1023 << 30: "1.00 TiB", 64 << 40: "64.0 TiB", -4096: "-4.00 KiB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 0: "0s", 59900 * time.Millisecond: "59s", 250 * time.Second: "4m10s", 72 * time.Minute: "1h12m", 76 * time.Hour: "3d04h",
	} {
		if got := spanText(d); got != want {
			t.Errorf("spanText(%v) = %q, want %q", d, got, want)
		}
	}
	for f, want := range map[float64]string{-1: "-", 0: "-", 12: "12 B/s", 4500: "4 kB/s", 96e6: "96 MB/s", 1.25e9: "1.2 GB/s"} {
		if got := rateText(f); got != want {
			t.Errorf("rateText(%v) = %q, want %q", f, got, want)
		}
	}
	for f, want := range map[float64]string{-1: "-", 1e300: "-", 0: "0s", 250: "4m10s"} {
		if got := etaText(f); got != want {
			t.Errorf("etaText(%v) = %q, want %q", f, got, want)
		}
	}
}

func TestWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "büro": 4, "日本": 4, "e\u0301": 1, "◷ queued": 8, "✔": 1} {
		if got := width(s); got != want {
			t.Errorf("width(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestQuoteArg(t *testing.T) {
	for s, want := range map[string]string{"": "''", "web01.vmdk": "web01.vmdk", "my vm": "'my vm'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'"} {
		if got := quoteArg(s); got != want {
			t.Errorf("quoteArg(%q) = %s, want %s", s, got, want)
		}
	}
}
