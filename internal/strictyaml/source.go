package strictyaml

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// source is the text of a document with the offsets at which its lines begin.
type source struct {
	text   []byte
	starts []int
	last   mark // the place that was asked for last
}

// mark is a place whose offset is known. Places are asked for from left to right; without it, a document on one long line would
// be counted through from its start for each value.
type mark struct{ line, column, off int }

// newSource finds the lines of text. A line ends with LF, CR LF or CR, as YAML 1.2 (section 5.4) has it; JSON agrees.
func newSource(text []byte) *source {
	s := &source{text: text, starts: []int{0}}
	for i, c := range text {
		if c == '\n' || (c == '\r' && (i+1 == len(text) || text[i+1] != '\n')) {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// line returns the line with the 1-based number n without its end, nil if there is none.
func (s *source) line(n int) []byte {
	if n < 1 || n > len(s.starts) {
		return nil
	}
	end := len(s.text)
	if n < len(s.starts) {
		end = s.starts[n]
	}
	return bytes.TrimRight(s.text[s.starts[n-1]:end], "\r\n")
}

// pos returns the place of the bytes from offset from up to offset to, cut off at the end of the line.
func (s *source) pos(from, to int) Pos {
	from = min(max(from, 0), len(s.text))
	n, start := lineAt(s.starts, from)
	line := s.line(n)
	at := mark{n, 1, start}
	if s.last.line == n && s.last.off <= from {
		at = s.last
	}
	column := at.column + utf8.RuneCount(s.text[at.off:from])
	s.last = mark{n, column, from}
	end := min(max(to, from), start+len(line))
	width := 1
	if end > from {
		width = utf8.RuneCount(s.text[from:end])
	}
	return Pos{Line: n, Column: column, EndColumn: column + width}
}

// lineAt returns the 1-based number of the line that holds the offset, and where that line begins.
func lineAt(starts []int, off int) (line, start int) {
	lo, hi := 0, len(starts)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; starts[mid] <= off {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo + 1, starts[lo]
}

// offset returns the byte offset of a 1-based line and column of characters, -1 if there is no such place.
func (s *source) offset(line, column int) int {
	b := s.line(line)
	if b == nil {
		return -1
	}
	start := s.starts[line-1]
	at := mark{line, 1, start}
	if s.last.line == line && s.last.column <= column {
		at = s.last
	}
	for ; at.column < column; at.column++ {
		if at.off >= start+len(b) {
			return -1
		}
		_, n := utf8.DecodeRune(s.text[at.off:])
		at.off += n
	}
	s.last = at
	return at.off
}

// The excerpt of a long line (JSON without line ends) shows this many characters before and after the place.
const (
	excerptBefore = 60
	excerptAfter  = 40
)

// Excerpt prints the line of a document that pos points at and marks the place below it, as in
//
//	9 |     initramf: {enabled: true}
//	  |     ^~~~~~~~
//
// It prints nothing when the document has no such line. Tabs and control bytes are shown as blanks and question marks, so that
// the mark stands where it should and a terminal is not driven by the document.
func Excerpt(w io.Writer, document []byte, pos Pos) error {
	line := []rune(string(newSource(document).line(pos.Line)))
	if pos.Line < 1 || len(line) == 0 {
		return nil
	}
	from := min(max(pos.Column, 1)-1, len(line))
	to := max(min(pos.EndColumn-1, len(line)), from+1)
	first, last := 0, len(line)
	if from > excerptBefore {
		first = from - excerptBefore/2
	}
	last = min(last, max(to, from+excerptAfter))
	last = min(last, from+excerptBefore+excerptAfter)
	var shown strings.Builder
	for _, r := range line[first:last] {
		switch {
		case r == '\t':
			shown.WriteByte(' ')
		case unicode.IsPrint(r) && r != utf8.RuneError:
			shown.WriteRune(r)
		default:
			shown.WriteByte('?')
		}
	}
	mark := strings.Repeat(" ", from-first) + "^" + strings.Repeat("~", max(min(to, last)-from-1, 0))
	number := fmt.Sprintf("%5d", pos.Line)
	_, err := fmt.Fprintf(w, "%s | %s\n%s | %s\n", number, strings.TrimRight(shown.String(), " "), strings.Repeat(" ", len(number)), mark)
	return err
}
