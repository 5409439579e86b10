package linux

import (
	"cmp"
	"strings"
)

// compareVersions orders versions of kernels as their packages are ordered: runs of digits by value, runs of letters by the alphabet,
// digits above letters, more parts above fewer; "~" and "rc" stand below the end. 5.9 < 5.14, 6.1.0-rc3 < 6.1.0-1.
func compareVersions(a, b string) int {
	for {
		a, b = strings.TrimLeft(a, separators), strings.TrimLeft(b, separators)
		x, y := versionPart(a), versionPart(b)
		a, b = a[len(x):], b[len(y):]
		if x == "" && y == "" {
			return 0
		}
		if c := cmp.Compare(partRank(x), partRank(y)); c != 0 {
			return c
		}
		if digitAt(x) {
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Compare(len(x), len(y)); c != 0 {
				return c
			}
		}
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
	}
}

// separators stand between the parts of a version and mean nothing.
const separators = ".-_+^"

// versionPart returns the run of digits, or of what is neither digit nor separator, that s begins with.
func versionPart(s string) string {
	if strings.HasPrefix(s, "~") {
		return "~"
	}
	n := 0
	for n < len(s) && digitAt(s[n:]) == digitAt(s) && !strings.ContainsRune(separators+"~", rune(s[n])) {
		n++
	}
	return s[:n]
}

func digitAt(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }

// partRank orders parts of different kinds.
func partRank(part string) int {
	switch {
	case part == "~":
		return 0
	case part == "rc":
		return 1
	case part == "":
		return 2
	case digitAt(part):
		return 4
	}
	return 3
}
