package convert

import (
	"cmp"
	"path"
	"strings"
)

// naturalCompare orders names as people count: disk2 before disk10, and x.vmdk before x_1.vmdk. It decides the order of the
// disks of a folder that has no description.
func naturalCompare(a, b string) int {
	stem := func(s string) string { return strings.TrimSuffix(s, path.Ext(s)) }
	return cmp.Or(compareRuns(strings.ToLower(stem(a)), strings.ToLower(stem(b))), cmp.Compare(a, b))
}

// compareRuns compares runs of digits by value and everything else byte by byte.
func compareRuns(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits returns the length of the run of digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
