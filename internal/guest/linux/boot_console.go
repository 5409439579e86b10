package linux

import "strings"

// serialConsole is the first serial port of a machine of that architecture as a console.
func serialConsole(arch string) string {
	switch arch {
	case "aarch64", "arm64", "armv7l":
		return "ttyAMA0,115200"
	case "ppc64", "ppc64le":
		return "hvc0"
	case "s390x":
		return "ttysclp0"
	}
	return "ttyS0,115200"
}

// addConsole adds a serial console to a command line that has none. The last console is the one that /dev/console is; the screen stays
// one too.
func addConsole(text, around, serial string) string {
	port, _, _ := strings.Cut(serial, ",")
	screen := false
	for word := range strings.FieldsSeq(text + " " + around) {
		word = strings.Trim(word, `"'`)
		value, ok := strings.CutPrefix(word, "console=")
		if !ok {
			continue
		}
		if value == port || strings.HasPrefix(value, port+",") {
			return text
		}
		screen = true
	}
	body := strings.TrimRight(text, " \t\r\n")
	if strings.HasSuffix(body, `\`) {
		return text // the line goes on in the next one
	}
	end := text[len(body):]
	if body != "" {
		body += " "
	}
	if !screen {
		body += "console=tty0 "
	}
	return body + "console=" + serial + end
}
