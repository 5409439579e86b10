package look

import (
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"

	"hyper2kvm/internal/queue"
)

// Role is what a piece of text is; the theme says how that looks.
type Role int

// The roles.
const (
	Text Role = iota
	Dim
	Title
	Good
	Bad
	Warn
	Busy
	Key
	roles
)

// Palette is the colours of a theme: "#rrggbb", or the number of one of the terminal's own sixteen, or "" for its default.
type Palette struct {
	Ground   string // behind everything
	Selected string // behind the row of the cursor
	Roles    [roles]string
}

// Palettes are the themes with colours. auto uses the terminal's own sixteen colours and its own ground, so that it fits a light
// and a dark terminal without asking which it is: the answer to such a question may come late and be taken for keys.
// colour-blind uses the colours of Okabe and Ito, which people with any of the common deficiencies tell apart.
var Palettes = map[string]Palette{
	"auto":          {Roles: [roles]string{Good: "2", Bad: "1", Warn: "3", Busy: "4", Key: "6"}},
	"dark":          {"#1b1e24", "#303030", [roles]string{"#e4e6ea", "#a9b0bc", "#ffffff", "#7bd88f", "#ff8f8f", "#f0c674", "#7fb8ff", "#80d4d4"}},
	"light":         {"#ffffff", "#dfe8f5", [roles]string{"#1c1f24", "#4d545f", "#000000", "#0b5f23", "#a30d1d", "#6e4700", "#0b4a9e", "#045c5c"}},
	"high-contrast": {"#000000", "#00285c", [roles]string{"#ffffff", "#e6e6e6", "#ffffff", "#7dff8e", "#ffb3b3", "#ffe14d", "#9fd3ff", "#8cf7f7"}},
	"colour-blind":  {"#14171c", "#303030", [roles]string{"#eceef1", "#b3bac6", "#ffffff", "#56b4e9", "#f0a04b", "#f0e442", "#cfe3ff", "#e7a6c9"}},
}

// Themes are the names of the themes, in the order in which T goes through them.
var Themes = []string{"auto", "dark", "light", "high-contrast", "colour-blind", "mono"}

// Painter turns roles into what the terminal understands. It is safe for concurrent use once made.
type Painter struct {
	Theme  string
	UTF8   bool
	styles [2][roles]lipgloss.Style // plain and selected
	plain  bool
}

// Colors is how many colours a terminal shows, as its environment says.
func Colors(w io.Writer) termenv.Profile {
	return termenv.NewOutput(w, termenv.WithTTY(true)).ColorProfile()
}

// NewPainter makes a painter. mono, and a profile without colours, paint without any escape. On a terminal of sixteen colours every
// other theme is auto: what is nearest to a theme's colours there need not be readable. An unknown theme is an error.
func NewPainter(theme string, profile termenv.Profile, utf8 bool) (*Painter, error) {
	p := &Painter{Theme: theme, UTF8: utf8, plain: theme == "mono" || profile == termenv.Ascii}
	pal, ok := Palettes[theme]
	if !ok && theme != "mono" {
		return nil, fmt.Errorf("unknown theme %q: one of %s", theme, strings.Join(Themes, ", "))
	}
	if profile == termenv.ANSI && theme != "mono" {
		pal = Palettes["auto"]
	}
	r := lipgloss.NewRenderer(io.Discard)
	r.SetColorProfile(profile)
	r.SetHasDarkBackground(true) // said, so that nobody asks the terminal
	for sel := range p.styles {
		ground := pal.Ground
		if sel == 1 && pal.Selected != "" {
			ground = pal.Selected
		}
		for role := range p.styles[sel] {
			st := r.NewStyle().Inline(true)
			if c := pal.Roles[role]; c != "" {
				st = st.Foreground(lipgloss.Color(c))
			}
			if ground != "" {
				st = st.Background(lipgloss.Color(ground))
			}
			if Role(role) == Title || sel == 1 {
				st = st.Bold(true)
			}
			if sel == 1 && pal.Selected == "" {
				st = st.Reverse(true)
			}
			p.styles[sel][role] = st
		}
	}
	return p, nil
}

// Span is a piece of a line.
type Span struct {
	Text string
	Role Role
}

// Line paints one line of exactly width columns: what does not fit is cut, what is missing is filled with blanks.
func (p *Painter) Line(width int, selected bool, spans ...Span) string {
	var b strings.Builder
	style := &p.styles[0]
	if selected {
		style = &p.styles[1]
	}
	left := width
	var run strings.Builder // of one role: each change of it costs some 30 bytes on the line to the terminal
	role := Text
	put := func(r Role, text string) {
		blank := strings.Trim(text, " ") == "" // has no colour of its own
		if r != role && !blank {
			if strings.Trim(run.String(), " ") != "" {
				p.paint(&b, style, role, run.String())
				run.Reset()
			}
			role = r
		}
		run.WriteString(text)
	}
	for _, s := range spans {
		text := Clean(s.Text)
		if !p.UTF8 {
			text = ASCII(text)
		}
		text = Cut(text, left, "")
		left -= Width(text)
		put(s.Role, text)
		if left <= 0 {
			break
		}
	}
	put(Text, Blank(left))
	p.paint(&b, style, role, run.String())
	return b.String()
}

func (p *Painter) paint(b *strings.Builder, style *[roles]lipgloss.Style, role Role, text string) {
	switch {
	case text == "":
	case p.plain:
		b.WriteString(text)
	default:
		b.WriteString(style[role].Render(text))
	}
}

// icon is a character, and what stands for it where the character set is not known.
type icon struct{ utf8, ascii string }

// Glyph is a character of the program's own.
type Glyph int

// The glyphs.
const (
	Cursor Glyph = iota
	Rule
	Dot
	Full
	Empty
	Up
	Down
	More
	Arrow
	Caution
)

var glyphs = [...]icon{{"▌", ">"}, {"─", "-"}, {"·", "-"}, {"█", "#"}, {"░", "."}, {"▴", "^"}, {"▾", "v"}, {"…", "~"}, {"→", "->"}, {"⚠", "!"}}

// Glyph writes a glyph.
func (p *Painter) Glyph(g Glyph) string { return p.icon(glyphs[g]) }

func (p *Painter) icon(i icon) string {
	if p.UTF8 {
		return i.utf8
	}
	return i.ascii
}

var states = map[queue.State]struct {
	icon
	role Role
}{
	queue.Queued:  {icon{"◷", "."}, Text},
	queue.Waiting: {icon{"◌", "~"}, Warn},
	queue.Ignored: {icon{"·", "-"}, Dim},
	queue.Running: {icon{"▶", ">"}, Busy},
	queue.Done:    {icon{"✔", "+"}, Good},
	queue.Failed:  {icon{"✖", "x"}, Bad},
}

// State is the icon and the role of a state. Its word always stands beside it.
func (p *Painter) State(s queue.State) (string, Role) {
	l := states[s]
	return p.icon(l.icon), l.role
}

// Live is the icon and the role of the daemon's liveness.
func (p *Painter) Live(l queue.Liveness) (string, Role) {
	switch l {
	case queue.LiveRunning:
		return p.icon(icon{"●", "*"}), Good
	case queue.LiveHung:
		return p.icon(icon{"●", "!"}), Bad
	}
	return p.icon(icon{"○", "o"}), Warn
}

// Bar draws how much of a whole is done in width columns.
func (p *Painter) Bar(part float64, width int) string {
	full := min(max(int(part*float64(width)), 0), max(width, 0))
	return strings.Repeat(p.Glyph(Full), full) + strings.Repeat(p.Glyph(Empty), max(width-full, 0))
}

// Sparkline draws the last width numbers as a row of columns; the highest one fills its cell.
func (p *Painter) Sparkline(numbers []float64, width int) string {
	steps := []rune("▁▂▃▄▅▆▇█")
	if !p.UTF8 {
		steps = []rune("_.:-=+*#")
	}
	numbers = numbers[max(len(numbers)-width, 0):]
	top := 0.0
	for _, n := range numbers {
		top = max(top, n)
	}
	var b strings.Builder
	for _, n := range numbers {
		i := 0
		if top > 0 {
			i = int(n / top * float64(len(steps)-1))
		}
		b.WriteRune(steps[min(max(i, 0), len(steps)-1)])
	}
	return b.String()
}
