package linux

import "strings"

// shellMixed is the style of a value that is put together of several parts: a"b"'c'.
const shellMixed = "mixed"

// shellStyle is the quote around a whole value: ", ', "" for none, or shellMixed.
func shellStyle(value string) string {
	switch {
	case len(value) >= 2 && value[0] == '"' && shellQuoteEnd(value[1:]) == len(value)-2:
		return `"`
	case len(value) >= 2 && value[0] == '\'' && strings.IndexByte(value[1:], '\'') == len(value)-2:
		return "'"
	case strings.ContainsAny(value, `"'\`):
		return shellMixed
	}
	return ""
}

// shellUnquote takes quotes and escapes off.
func shellUnquote(value string) string {
	var b strings.Builder
	for i := 0; i < len(value); {
		switch c := value[i]; c {
		case '\'':
			end := strings.IndexByte(value[i+1:], '\'')
			if end < 0 {
				end = len(value) - i - 1
			}
			b.WriteString(value[i+1 : i+1+end])
			i += end + 2
		case '"':
			end := shellQuoteEnd(value[i+1:])
			if end < 0 {
				end = len(value) - i - 1
			}
			shellUnescape(&b, value[i+1:i+1+end], "$`\"\\")
			i += end + 2
		case '\\':
			if i+1 < len(value) && value[i+1] != '\n' {
				b.WriteByte(value[i+1])
			}
			i += 2
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// shellUnescape writes text with the backslashes before the named characters and before line ends taken off.
func shellUnescape(b *strings.Builder, text, named string) {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			switch next := text[i+1]; {
			case next == '\n':
				i++
				continue
			case strings.IndexByte(named, next) >= 0:
				i++
			}
		}
		b.WriteByte(text[i])
	}
}

// shellNeedsQuotes reports whether value as a bare word would be something else to a shell.
func shellNeedsQuotes(value string) bool {
	return strings.ContainsAny(value, " \t\r\n\"'`$\\;&|()<>*?[]#~!{}")
}

// shellQuote writes value in the style in which had is written. Where had has an expansion ($NAME), a dollar of value is one too.
func shellQuote(value, had string) string {
	style := shellStyle(had)
	switch {
	case style == "" && !shellNeedsQuotes(value):
		return value
	case style == "'" && !strings.Contains(value, "'"):
		return "'" + value + "'"
	}
	escapes := []string{`\`, `\\`, `"`, `\"`, "`", "\\`"}
	if style == "'" || !shellExpands(had) {
		escapes = append(escapes, `$`, `\$`)
	}
	return `"` + strings.NewReplacer(escapes...).Replace(value) + `"`
}

// shellExpands reports whether a value as written has a dollar that a shell would expand.
func shellExpands(value string) bool {
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '\\':
			i++
		case '\'':
			if end := strings.IndexByte(value[i+1:], '\''); end >= 0 && !strings.Contains(value[:i], `"`) {
				i += end + 1
			}
		case '$':
			return true
		}
	}
	return false
}
