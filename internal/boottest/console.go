package boottest

import (
	"bytes"
	"regexp"
	"strings"
)

const (
	// maxLine is how much of a line is kept; what decides is at its end.
	maxLine = 4096
	// keptOfLine is how much of a line that is too long stays for the signs: more than the longest of them.
	keptOfLine = 512
)

// verdict is what the console showed.
type verdict struct {
	passed   bool
	why      string
	evidence string // the line
}

// console reads what comes out of the serial port, in pieces of any size, and finds what decides. What it finds does not depend on
// how the pieces are cut.
type console struct {
	signs    [256][]sign // by the last byte of their text
	line     []byte
	escape   escapeState
	verdict  *verdict // the first; nothing changes it
	login    string   // the first login prompt
	relabels bool
	lastLine string // the last one that holds something
}

// escapeState is where in a control sequence of a terminal the stream is (ECMA-48, section 5).
type escapeState uint8

const (
	plainText escapeState = iota
	afterESC
	inCSI // until a byte from 0x40 to 0x7e
	inOSC // until BEL, or ESC and another byte
)

// loginPrompt is a prompt of getty: a host's name and the word. notPrompt is how a shell greets who has logged in.
var loginPrompt = regexp.MustCompile(`^[0-9A-Za-z._-]{1,64} login:$`)

const notPrompt = "Last login:"

// newConsole returns a console that takes the marker for the sign that the guest is up.
func newConsole(marker string) *console {
	c := &console{}
	add := func(s sign) {
		last := s.text[len(s.text)-1]
		c.signs[last] = append(c.signs[last], s)
	}
	for _, s := range signs() {
		add(s)
	}
	add(sign{text: marker + " " + stateUp, up: true, why: "the guest is up: it printed the token of this test"})
	add(sign{text: marker + " " + stateReadOnly, why: "the guest is up, but its root file system cannot be written"})
	return c
}

// Write takes the next piece. It never fails.
func (c *console) Write(p []byte) (int, error) {
	for _, b := range p {
		c.next(b)
	}
	return len(p), nil
}

// next takes one byte.
func (c *console) next(b byte) {
	switch c.escape {
	case afterESC:
		switch b {
		case '[':
			c.escape = inCSI
		case ']':
			c.escape = inOSC
		default:
			c.escape = plainText
		}
		return
	case inCSI:
		if b >= 0x40 && b <= 0x7e {
			c.escape = plainText
			if b == 'H' || b == 'f' { // the cursor goes elsewhere
				c.endLine()
			}
			return
		}
		if b >= 0x20 { // a parameter; anything else breaks the sequence off
			return
		}
		c.escape = plainText
	case inOSC:
		switch b {
		case 7:
			c.escape = plainText
		case 0x1b:
			c.escape = afterESC
		case '\n': // not one after all
			c.escape = plainText
			c.endLine()
		}
		return
	}
	switch {
	case b == 0x1b:
		c.escape = afterESC
	case b == '\n', b == '\r':
		c.endLine()
	case b == '\t':
		c.text(' ')
	case b >= ' ' && b != 0x7f:
		c.text(b)
	}
}

func (c *console) endLine() {
	if len(c.line) > 0 {
		c.lastLine = c.shown()
	}
	c.line = c.line[:0]
}

// text adds one byte to the line and looks whether that completes something.
func (c *console) text(b byte) {
	if len(c.line) == maxLine {
		c.line = append(c.line[:0], c.line[maxLine-keptOfLine:]...)
	}
	if len(c.line) == 0 && b == ' ' {
		return // prompts may be indented
	}
	c.line = append(c.line, b)
	for _, s := range c.signs[b] {
		if c.verdict != nil || len(c.line) < len(s.text) || s.start && len(c.line) != len(s.text) {
			continue
		}
		if string(c.line[len(c.line)-len(s.text):]) == s.text {
			c.verdict = &verdict{passed: s.up, why: s.why, evidence: c.shown()}
		}
	}
	switch {
	case b == ':' && c.login == "" && loginPrompt.Match(c.line) && string(c.line) != notPrompt:
		c.login = c.shown()
	case b == 'd' && !c.relabels && bytes.HasSuffix(c.line, []byte(relabels)):
		c.relabels = true
	}
}

// shown returns the line for people: valid text, and not more than a screen is wide a few times.
func (c *console) shown() string {
	line := c.line
	const most = 300
	if len(line) > most {
		line = line[len(line)-most:]
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(line), "?"))
}

// last returns the last line that holds something, the one that is not ended included.
func (c *console) last() string {
	if s := c.shown(); s != "" {
		return s
	}
	return c.lastLine
}
