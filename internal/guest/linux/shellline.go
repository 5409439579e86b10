package linux

import "strings"

// parseShellLine reads the line that text starts with, and how long it is.
func parseShellLine(text string) (shellLine, int) {
	end := len(text)
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		end = i + 1
	}
	other := shellLine{head: text[:end]}
	at := shellBlanks(text[:end])
	if rest, ok := strings.CutPrefix(text[at:end], "export"); ok && shellBlanks(rest) > 0 {
		at += len("export") + shellBlanks(rest)
	}
	name := shellNameLen(text[at:end])
	if name == 0 {
		return other, end
	}
	op := "="
	switch rest := text[at+name : end]; {
	case strings.HasPrefix(rest, "+="):
		op = "+="
	case !strings.HasPrefix(rest, "="):
		return other, end
	}
	start := at + name + len(op)
	n, ok := shellWordLen(text[start:])
	if !ok {
		return other, end
	}
	if i := strings.IndexByte(text[start+n:], '\n'); i >= 0 {
		end = start + n + i + 1
	} else {
		end = len(text)
	}
	return shellLine{head: text[:at], key: text[at : at+name], op: op, value: text[start : start+n], tail: text[start+n : end]}, end
}

// shellBlanks is how many blanks text starts with.
func shellBlanks(text string) int { return len(text) - len(strings.TrimLeft(text, " \t")) }

// shellNameLen is the length of the name that text starts with.
func shellNameLen(text string) int {
	n := 0
	for n < len(text) && (text[n] == '_' || text[n]|0x20 >= 'a' && text[n]|0x20 <= 'z' || n > 0 && text[n] >= '0' && text[n] <= '9') {
		n++
	}
	return n
}

// shellWordLen is the length of the word that text starts with; quotes may hold line ends. A quote that is never closed is none.
func shellWordLen(text string) (n int, ok bool) {
	for n < len(text) {
		switch c := text[n]; {
		case strings.IndexByte(" \t\n;&|()<>", c) >= 0, c == '\r' && (n+1 == len(text) || text[n+1] == '\n'):
			return n, true
		case c == '\\':
			n += min(2, len(text)-n)
		case c == '\'':
			end := strings.IndexByte(text[n+1:], '\'')
			if end < 0 {
				return 0, false
			}
			n += end + 2
		case c == '"':
			end := shellQuoteEnd(text[n+1:])
			if end < 0 {
				return 0, false
			}
			n += end + 2
		default:
			n++
		}
	}
	return n, true
}

// shellQuoteEnd is where the double quote closes that was opened before text, -1 where it does not.
func shellQuoteEnd(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
