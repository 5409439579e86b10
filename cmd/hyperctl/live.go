package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// liveLine is the last line of a terminal, rewritten while something goes on; the lines that stay are printed above it. Elsewhere it
// shows nothing.
type liveLine struct {
	con   *console
	on    bool
	shown bool
	last  time.Time
}

func (c *console) newLiveLine() *liveLine {
	term := c.getenv("TERM")
	return &liveLine{con: c, on: c.outTTY && term != "" && term != "dumb" && !c.opts.quiet && !c.accessible() &&
		(c.opts.output == outTable || c.opts.output == outWide)}
}

// accessible tells whether nothing on the screen may be rewritten, because a program reads it to somebody.
func (c *console) accessible() bool {
	v := c.getenv("ACCESSIBLE")
	return v != "" && v != "0" && v != "false"
}

// show rewrites the line, at most as often as a person can read it.
func (l *liveLine) show(text string) {
	now := l.con.now()
	if !l.on || l.shown && now.Sub(l.last) < meterOnTTY {
		return
	}
	l.last, l.shown = now, true
	fmt.Fprintf(l.con.out, "\r\x1b[K%s", cut(text, l.columns()-1))
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
