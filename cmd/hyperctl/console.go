package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/queue"
)

// console is where a command reads and writes, and how it looks there.
type console struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	now      func() time.Time
	outTTY   bool
	errTTY   bool
	style    style // of out
	errStyle style // of err
	opts     globalOptions
	tsvShown reflect.Type // whose columns the output has named already
	told     time.Time    // when the last line of an output that goes on was printed
}

func newConsole(in io.Reader, out, errw io.Writer, getenv func(string) string, now func() time.Time) *console {
	c := &console{in: in, out: out, err: errw, getenv: getenv, now: now, outTTY: isTTY(out), errTTY: isTTY(errw)}
	c.opts.output, c.opts.color, c.opts.progress = outTable, colorAuto, progressAuto
	c.restyle()
	return c
}

func isTTY(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// restyle decides on colours and characters once the flags are known.
func (c *console) restyle() {
	u := utf8Locale(c.getenv) && c.getenv("TERM") != "dumb"
	c.style = style{color: wantColor(c.opts.color, c.outTTY, c.getenv), utf8: u}
	c.errStyle = style{color: wantColor(c.opts.color, c.errTTY, c.getenv), utf8: u}
}

// wantColor decides on escapes: the flag, then NO_COLOR, CLICOLOR_FORCE, CLICOLOR and TERM, then whether it is a terminal.
func wantColor(mode colorMode, tty bool, getenv func(string) string) bool {
	switch {
	case mode == colorAlways:
		return true
	case mode == colorNever, getenv("NO_COLOR") != "":
		return false
	case getenv("CLICOLOR_FORCE") != "" && getenv("CLICOLOR_FORCE") != "0":
		return true
	case getenv("CLICOLOR") == "0", getenv("TERM") == "dumb":
		return false
	}
	return tty
}

// utf8Locale tells whether the locale that holds for characters is a UTF-8 one.
func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// style is how text looks on one stream.
type style struct {
	color bool
	utf8  bool
}

// The colours: the sixteen that every terminal has, so that the user's own theme decides.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	grey   = "90"
	bold   = "1"
)

func (s style) paint(color, text string) string {
	if !s.color || color == "" || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

func (s style) icon(utf8, ascii string) string {
	if s.utf8 {
		return utf8
	}
	return ascii
}

// looks is the icon, its ASCII form and the colour of each state; the word always stands beside it.
var looks = map[queue.State]struct{ utf8, ascii, color string }{
	queue.Queued:  {"◷", ".", ""},
	queue.Waiting: {"◌", "~", yellow},
	queue.Ignored: {"·", "-", grey},
	queue.Running: {"▶", ">", blue},
	queue.Done:    {"✔", "+", green},
	queue.Failed:  {"✖", "x", red},
}

// state writes a state as icon and word, and its colour.
func (s style) state(st queue.State) (text, color string) {
	l := looks[st]
	return s.icon(l.utf8, l.ascii) + " " + string(st), l.color
}

// note tells something in passing on standard error; -q leaves it out.
func (c *console) note(format string, args ...any) {
	if c.opts.quiet || c.opts.output.machine() {
		return
	}
	fmt.Fprintf(c.err, "%s %s\n", c.errStyle.paint(yellow, "note:"), cleanLine(fmt.Sprintf(format, args...)))
}
