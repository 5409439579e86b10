package strictyaml

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Check compares a mapping with its shape and returns every difference, in no particular order.
func (s *Shape) Check(n *Node) []Fault {
	c := &checker{}
	c.top = s
	c.mapping(s, n)
	return c.faults
}

type checker struct {
	top    *Shape
	faults []Fault
}

func (c *checker) fault(r Reason, pos Pos, path, hint, format string, args ...any) {
	c.faults = append(c.faults, Fault{Reason: r, Pos: pos, Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) mapping(s *Shape, n *Node) {
	if n.Kind != Map {
		c.want("a mapping (key: value)", n, "")
		return
	}
	meant := map[string]bool{}
	for _, e := range n.Entries {
		if f := s.Field(e.Key); f != nil {
			c.value(f, e.Value)
		} else if !strings.HasPrefix(e.Key, "x-") {
			meant[c.unknown(s, n, e)] = true
		}
	}
	for _, f := range s.Fields {
		// A misspelt key is one mistake, not two.
		if f.Required && !n.Has(f.Key) && !meant[f.Key] {
			c.fault(Required, n.Place(), n.Path, "", "%s is missing", Quote(f.Key))
		}
	}
}

// unknown reports a key that the shape lacks and returns the key that was probably meant.
func (c *checker) unknown(s *Shape, n *Node, e Entry) string {
	near, hint := "", s.Instead[e.Key]
	if hint == "" && len(c.faults) < MaxFaults { // guessing for keys that are not shown would take long
		if near = Nearest(e.Key, s.Keys()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
	}
	if hint == "" && len(c.faults) < MaxFaults {
		// The right key in the wrong place: only if there is one right place, deeper in this mapping or else anywhere.
		if place := s.place(e.Key); place != "" {
			hint = fmt.Sprintf("did you mean %q?", join(n.Path, place))
		} else if place := c.top.place(e.Key); place != "" {
			hint = fmt.Sprintf("did you mean %q?", place)
		}
	}
	c.fault(Key, e.Value.KeyPos, n.Path, hint, "unknown key %s", Quote(e.Key))
	return near
}

func (c *checker) value(f *Field, n *Node) {
	switch f.Type {
	case TypeBool:
		if n.Kind != Bool {
			c.want("true or false", n, boolHint(n))
		}
	case TypeText:
		if n.Kind != Text {
			c.want("a text", n, textHint(n))
		}
	case TypeWord:
		c.word(f, n)
	case TypeInt:
		c.number(f, n)
	case TypeTime:
		if _, err := time.Parse(time.RFC3339, n.Value); n.Kind != Text || err != nil {
			c.want("a time as in 2026-01-21T18:30:00Z", n, "")
		}
	case TypeDuration:
		if _, ok := n.Duration(); !ok {
			c.want("a duration as in 90s, 30m or 24h, or a number of seconds", n, "")
		}
	case TypeVersion:
		if one, err := strconv.ParseFloat(n.Value, 64); n.Value != "1.0" && ((n.Kind != Int && n.Kind != Float) || err != nil || one != 1) {
			c.want(`"1.0"`, n, "")
		}
	case TypeTexts:
		if n.Kind == List {
			c.texts(f, n, 1)
		} else if n.Kind != Text {
			c.want("a text or a list of texts", n, textHint(n))
		}
	case TypeTextList:
		c.texts(f, n, 0)
	case TypeList:
		if c.items(f, n, f.Min) {
			for _, item := range n.Items {
				c.mapping(f.Of, item)
			}
		}
	case TypeMap:
		c.mapping(f.Of, n)
	case TypeLabels:
		c.labels(f, n)
	}
}

func (c *checker) word(f *Field, n *Node) {
	want := "one of " + strings.Join(f.Values, ", ")
	if len(f.Values) == 1 {
		want = f.Values[0]
	}
	if n.Kind != Text {
		c.want(want, n, "")
		return
	}
	if slices.Contains(f.Values, n.Value) {
		return
	}
	hint := ""
	if near := Nearest(n.Value, f.Values); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	c.want(want, n, hint)
}

func (c *checker) number(f *Field, n *Node) {
	v := n.Int()
	want := fmt.Sprintf("a whole number from %d to %d", f.Min, f.Max)
	if f.Max == math.MaxInt64 {
		want = fmt.Sprintf("a whole number, %d or more", f.Min)
	}
	if v == nil || *v < f.Min || *v > f.Max {
		hint := ""
		if n.Kind == Text && decimal(n.Value) {
			hint = "remove the quotes"
		}
		c.want(want, n, hint)
	}
}

// items reports whether n is a list with a number of items that is allowed.
func (c *checker) items(f *Field, n *Node, least int64) bool {
	switch count := int64(len(n.Items)); {
	case n.Kind != List:
		c.want("a list", n, "")
	case count < least:
		c.fault(Required, n.Place(), n.Path, "", "the list is empty; at least %d is needed", least)
	case count > f.Max:
		c.fault(Limit, n.Place(), n.Path, "", "the list has %d items; %d are allowed", count, f.Max)
	default:
		return true
	}
	return false
}

func (c *checker) texts(f *Field, n *Node, least int64) {
	if !c.items(f, n, least) {
		return
	}
	for _, item := range n.Items {
		if item.Kind != Text {
			c.want("a text", item, textHint(item))
		}
	}
}

func (c *checker) labels(f *Field, n *Node) {
	if n.Kind != Map {
		c.want("a mapping of labels (key: text)", n, "")
		return
	}
	if int64(len(n.Entries)) > f.Max {
		c.fault(Limit, n.Place(), n.Path, "", "there are %d labels; %d are allowed", len(n.Entries), f.Max)
	}
	for _, e := range n.Entries {
		if v := e.Value; v.Kind == Map || v.Kind == List || v.Kind == Null {
			c.want("a text", v, "")
		}
	}
}

// want reports a value of the wrong kind.
func (c *checker) want(what string, n *Node, hint string) {
	if n.Kind == Null && n.KeyPos.Line > 0 {
		c.fault(Value, n.KeyPos, n.Path, "remove the key to get the default", "want %s, got nothing", what)
		return
	}
	c.fault(Value, n.Place(), n.Path, hint, "want %s, got %s", what, describe(n))
}

func describe(n *Node) string {
	switch n.Kind {
	case Map:
		return "a mapping"
	case List:
		return "a list"
	case Null:
		return "nothing"
	case Text:
		return Quote(n.Value)
	default:
		return Printable(n.Value)
	}
}

func boolHint(n *Node) string {
	if n.Kind != Text {
		return ""
	}
	switch strings.ToLower(n.Value) {
	case "yes", "on", "y":
		return "write true"
	case "no", "off", "n":
		return "write false"
	case "true", "false":
		return "remove the quotes"
	}
	return ""
}

func textHint(n *Node) string {
	if n.Kind == Int || n.Kind == Float || n.Kind == Bool {
		return "put it in quotes"
	}
	return ""
}

// MaxDuration is the longest duration that is taken: a year.
const MaxDuration = 365 * 24 * time.Hour

// Duration reads a duration: a text as time.ParseDuration takes it, or a number of seconds. ok is false for anything else, for
// negative ones and for those above MaxDuration.
func (n *Node) Duration() (d time.Duration, ok bool) {
	if n == nil {
		return 0, false
	}
	switch n.Kind {
	case Text:
		d, err := time.ParseDuration(n.Value)
		return d, err == nil && d >= 0 && d <= MaxDuration
	case Int, Float:
		s, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || (n.Kind == Int && !decimal(n.Value)) || !(s >= 0 && s <= MaxDuration.Seconds()) {
			return 0, false
		}
		return time.Duration(s * float64(time.Second)), true
	default:
		return 0, false
	}
}
