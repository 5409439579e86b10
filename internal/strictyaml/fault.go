package strictyaml

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Reason is the kind of a Fault.
type Reason uint8

// The reasons. Parse reports Syntax, Duplicate, Limit and Encoding; Check reports Key, Value, Required and Limit. Conflict is
// for the callers' own checks.
const (
	Syntax Reason = iota + 1
	Key
	Value
	Required
	Duplicate
	Limit
	Conflict
	Encoding
)

// Fault is one thing that is wrong with a document.
type Fault struct {
	Reason  Reason
	Pos     Pos
	Path    string // of the value, or of the mapping that has or lacks a key
	Message string // one line; says what was wanted and what was found
	Hint    string // what to write instead, or ""
}

// MaxFaults bounds what is reported of one document: nobody reads more, and a hostile document could have a million.
const MaxFaults = 100

// Sort puts faults in the order of the document, drops those that stand at the same place with the same message, and cuts
// them off after MaxFaults.
func Sort(faults []Fault) []Fault {
	slices.SortStableFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	faults = slices.CompactFunc(faults, func(a, b Fault) bool {
		return a.Pos == b.Pos && a.Reason == b.Reason && a.Message == b.Message
	})
	if len(faults) > MaxFaults {
		last := Fault{Reason: Limit, Pos: faults[MaxFaults].Pos, Message: strconv.Itoa(len(faults)-MaxFaults) + " more faults are not shown"}
		faults = append(faults[:MaxFaults:MaxFaults], last)
	}
	return faults
}

// quoteMax is how many characters of a hostile text a message repeats.
const quoteMax = 60

// Quote returns s in double quotes, fit to be printed on a terminal: cut off when long, no control bytes, nothing invisible.
func Quote(s string) string {
	if utf8.RuneCountInString(s) > quoteMax {
		n := 0
		for i := range s {
			if n == quoteMax {
				s = s[:i] + "…"
				break
			}
			n++
		}
	}
	return strconv.Quote(s)
}

// Printable returns s as it is where a terminal shows it as it is, and quoted otherwise.
func Printable(s string) string {
	bad := func(r rune) bool { return r == utf8.RuneError || !(unicode.IsPrint(r)) }
	if s != "" && strings.IndexFunc(s, bad) < 0 {
		return s
	}
	return Quote(s)
}
