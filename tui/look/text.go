package look

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/lipgloss"
	"github.com/mattn/go-runewidth"
	"github.com/rivo/uniseg"
)

// Clean makes text from names, logs and images safe for a terminal: control bytes, invalid UTF-8, and characters that reorder or
// hide text come out as escapes; a tab becomes blanks.
func Clean(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\t':
			b.WriteString("    ")
		case r == utf8.RuneError && n == 1, r < 0x20, r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// ASCII writes clean text for a terminal whose character set is not known to be UTF-8.
func ASCII(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < 0x7f:
			return r
		case unicode.In(r, unicode.Mn, unicode.Me):
			return -1
		}
		return '?'
	}, s)
}

// clusterWidth is how many columns a character takes at most, with what combines with it. Terminals disagree about some; the
// larger answer is taken, so that a line may end too early and never too late.
func clusterWidth(cluster string, width int) int {
	if len(cluster) == 1 {
		return width
	}
	return max(width, runewidth.StringWidth(cluster), lipgloss.Width(cluster))
}

// Width is how many columns clean text takes at most.
func Width(s string) int {
	n := 0
	for state := -1; s != ""; {
		var c string
		var w int
		c, s, w, state = uniseg.FirstGraphemeClusterInString(s, state)
		n += clusterWidth(c, w)
	}
	return n
}

// Cut shortens clean text to so many columns and says with more that something is missing.
func Cut(s string, width int, more string) string {
	if len(s) <= width && isASCII(s) || Width(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	room := max(width-Width(more), 0)
	if width < Width(more) {
		more = ""
	}
	var b strings.Builder
	for state, n := -1, 0; s != ""; {
		var c string
		var w int
		c, s, w, state = uniseg.FirstGraphemeClusterInString(s, state)
		if n += clusterWidth(c, w); n > room {
			break
		}
		b.WriteString(c)
	}
	return b.String() + more
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// Left fits text into a column of this width, beginning at its left edge.
func Left(s string, width int, more string) string {
	s = Cut(Clean(s), width, more)
	return s + Blank(width-Width(s))
}

// Right is Left for numbers.
func Right(s string, width int, more string) string {
	s = Cut(Clean(s), width, more)
	return Blank(width-Width(s)) + s
}

// Blank is n blanks; none for a negative n.
func Blank(n int) string { return strings.Repeat(" ", max(n, 0)) }

// Bytes writes a size in binary units: 9.90 GiB.
func Bytes(n int64) string {
	f, u := float64(n), 0
	for math.Abs(f) >= 999.5 && u < len(units)-1 {
		f /= 1024
		u++
	}
	switch {
	case u == 0:
		return fmt.Sprintf("%d B", n)
	case math.Abs(f) >= 99.95:
		return fmt.Sprintf("%.0f %s", f, units[u])
	case math.Abs(f) >= 9.995:
		return fmt.Sprintf("%.1f %s", f, units[u])
	}
	return fmt.Sprintf("%.2f %s", f, units[u])
}

var units = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}

// Rate writes bytes per second in decimal units, as disks are sold; "" for none.
func Rate(perSecond float64) string {
	switch {
	case math.IsNaN(perSecond) || perSecond < 1:
		return ""
	case perSecond < 1e3:
		return fmt.Sprintf("%.0f B/s", perSecond)
	case perSecond < 1e6:
		return fmt.Sprintf("%.0f kB/s", perSecond/1e3)
	case perSecond < 1e9:
		return fmt.Sprintf("%.0f MB/s", perSecond/1e6)
	}
	return fmt.Sprintf("%.1f GB/s", min(perSecond/1e9, 9999))
}

// Duration writes a length of time in at most two units: 45s, 4m10s, 1h12m, 3d04h.
func Duration(d time.Duration) string {
	s := int64(max(d, 0) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s%86400/3600)
}

// ETA writes the seconds that are left; "" when they are not known, which a negative or an absurd number means.
func ETA(seconds float64) string {
	const year = 365 * 24 * 3600
	if math.IsNaN(seconds) || seconds < 0 || seconds > year {
		return ""
	}
	return Duration(time.Duration(seconds * float64(time.Second)))
}

// Wrap breaks running text into lines of at most width columns, at blanks where it can.
func Wrap(s string, width int) []string {
	width = max(width, 1)
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' {
			return ' '
		}
		return r
	}, s)) {
		word = Clean(word)
		if line != "" && Width(line)+1+Width(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for Width(word) > width {
			head := Cut(word, width, "")
			if head == "" {
				return lines // one character is wider than the column
			}
			lines = append(lines, head)
			word = word[len(head):]
		}
		line = word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
