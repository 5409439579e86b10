package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// clean makes text from names, logs and images safe for a terminal: control bytes, invalid UTF-8, and characters that
// reorder or hide text come out as escapes. Tabs and line breaks are escaped too. Everything that this program prints for
// people passes through it or through cleanLine.
func clean(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1, r < 0x20, r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.IsPrint(r): // C1 controls, bidirectional overrides, zero-width characters, odd spaces
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// cleanLine is clean for running text: line breaks and tabs become single spaces.
func cleanLine(s string) string {
	if strings.ContainsAny(s, "\n\t") {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\t' }), " ")
	}
	return clean(s)
}

// cleanLines is clean line by line.
func cleanLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		text, end := strings.CutSuffix(line, "\n")
		b.WriteString(clean(strings.ReplaceAll(text, "\t", "        ")))
		if end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// width is how many columns s takes on a terminal; s is clean.
func width(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < 0x300:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me):
		case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
			r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff,
			r >= 0x20000 && r <= 0x3fffd:
			n += 2
		default:
			n++
		}
	}
	return n
}

var byteUnits = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// bytesText writes a size with three significant digits: 9.90 GiB, 512 B.
func bytesText(n int64) string {
	f, u := float64(n), 0
	for math.Abs(f) >= 999.5 && u < len(byteUnits)-1 {
		f /= 1024
		u++
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%s %s", threeDigits(f), byteUnits[u])
}

func threeDigits(f float64) string {
	switch a := math.Abs(f); {
	case a >= 99.95:
		return fmt.Sprintf("%.0f", f)
	case a >= 9.995:
		return fmt.Sprintf("%.1f", f)
	default:
		return fmt.Sprintf("%.2f", f)
	}
}

// rateText writes bytes per second in decimal units, as disks are sold: 96 MB/s.
func rateText(perSecond float64) string {
	switch {
	case math.IsNaN(perSecond) || perSecond <= 0:
		return "-"
	case perSecond < 1e3:
		return fmt.Sprintf("%.0f B/s", perSecond)
	case perSecond < 1e6:
		return fmt.Sprintf("%.0f kB/s", perSecond/1e3)
	case perSecond < 1e9:
		return fmt.Sprintf("%.0f MB/s", perSecond/1e6)
	default:
		return fmt.Sprintf("%.1f GB/s", perSecond/1e9)
	}
}

// spanText writes a length of time in at most two units: 45s, 4m10s, 1h12m, 3d04h.
func spanText(d time.Duration) string {
	d = max(d, 0)
	s := int(d / time.Second)
	switch {
	case s < 60:
		return strconv.Itoa(s) + "s"
	case s < 3600:
		return strconv.Itoa(s/60) + "m" + twoDigits(s%60) + "s"
	case s < 86400:
		return strconv.Itoa(s/3600) + "h" + twoDigits(s%3600/60) + "m"
	default:
		return strconv.Itoa(s/86400) + "d" + twoDigits(s%86400/3600) + "h"
	}
}

// tookText writes how long something took: tenths of a second while that says more than seconds do.
func tookText(d time.Duration) string {
	if d = max(d, 0); d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return spanText(d)
}

func twoDigits(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}

// etaText writes the time left; a negative or absurd estimate is not known.
func etaText(seconds float64) string {
	const year = 365 * 24 * 3600 // longer than that is a stalled job, not an estimate
	if math.IsNaN(seconds) || seconds < 0 || seconds > year {
		return "-"
	}
	return spanText(time.Duration(seconds * float64(time.Second)))
}

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// isDir tells whether a path is a directory.
func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
