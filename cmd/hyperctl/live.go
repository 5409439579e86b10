package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// progressMode is how an output shows how far something is.
type progressMode string

const (
	progressAuto  progressMode = "auto"  // in one line that is rewritten on a terminal, elsewhere in lines
	progressPlain progressMode = "plain" // in lines
	progressNone  progressMode = "none"  // not at all
	progressTitle progressMode = "title" // as auto, and in the terminal's title and its own progress display
)

var progressModes = []string{"auto", "plain", "none", "title"}

// rewrites tells whether progress may be shown in a line that is rewritten, on a stream that is a terminal or not.
func (c *console) rewrites(tty bool) bool {
	term := c.getenv("TERM")
	return tty && term != "" && term != "dumb" && !c.opts.quiet && !c.accessible() &&
		(c.opts.progress == progressAuto || c.opts.progress == progressTitle)
}

// lineEvery is how often progress is told in lines: less often to somebody to whom they are read.
func (c *console) lineEvery() time.Duration {
	if c.accessible() {
		return heartbeatEvery
	}
	return meterLines
}

// liveLine is the last line of a terminal, rewritten while something goes on; the lines that stay are printed above it. Elsewhere it
// shows nothing.
type liveLine struct {
	con    *console
	on     bool
	shown  bool
	titled bool // the terminal's title is ours
	last   time.Time
}

func (c *console) newLiveLine() *liveLine {
	return &liveLine{con: c, on: c.rewrites(c.outTTY) && c.opts.output.people()}
}

// accessible tells whether nothing on the screen may be rewritten, because a program reads it to somebody.
func (c *console) accessible() bool { return c.opts.accessible || isOn(c.getenv("ACCESSIBLE")) }

// isOn tells whether a variable of the environment that is a switch is on.
func isOn(v string) bool { return v != "" && v != "0" && v != "false" }

// show rewrites the line, at most as often as a person can read it. done is in percent.
func (l *liveLine) show(text string, done int) {
	now := l.con.now()
	if !l.on || l.shown && now.Sub(l.last) < meterOnTTY {
		return
	}
	l.last, l.shown = now, true
	fmt.Fprintf(l.con.out, "\r\x1b[K%s", cut(text, l.columns()-1))
	if l.con.opts.progress == progressTitle {
		if !l.titled {
			fmt.Fprint(l.con.out, keepTitle)
		}
		l.titled = true
		fmt.Fprintf(l.con.out, setTitle+setProgress, cut(text, titleColumns), min(max(done, 0), 100))
	}
}

// The sequences for the title of a terminal (xterm: operating system command 0, and the stack of titles) and for its own display of
// progress (operating system command 9;4 of ConEmu, which others took over).
const (
	keepTitle     = "\x1b[22;0t"
	setTitle      = "\x1b]0;%s\x07"
	setProgress   = "\x1b]9;4;1;%d\x1b\\"
	clearProgress = "\x1b]9;4;0\x1b\\"
	giveTitleBack = "\x1b[23;0t"
	titleColumns  = 60
)

// end takes the line away and gives the terminal its title back.
func (l *liveLine) end() {
	l.clear()
	if l.titled {
		fmt.Fprint(l.con.out, clearProgress+giveTitleBack)
		l.titled = false
	}
}

// clear takes the line away, so that others can be printed.
func (l *liveLine) clear() {
	if l.shown {
		fmt.Fprint(l.con.out, "\r\x1b[K")
		l.shown = false
	}
}

// columns is how wide the terminal is.
func (l *liveLine) columns() int {
	if f, ok := l.con.out.(*os.File); ok {
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			return int(size.Col)
		}
	}
	return defaultColumns
}

// defaultColumns is what a terminal has that does not say.
const defaultColumns = 80

// cut shortens clean text to n columns.
func cut(s string, n int) string {
	if width(s) <= n {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if width(b.String()+string(r)) > n {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
