package strictyaml

import "strings"

// Nearest returns the word that somebody who wrote s most likely meant, or "" if none is near: at most a third of the letters
// may differ, and case does not count.
func Nearest(s string, words []string) string {
	if len(s) > quoteMax {
		return ""
	}
	s = strings.ToLower(s)
	best, least := "", len(s)/3+1
	for _, w := range words {
		if d := distance(s, strings.ToLower(w)); d < least || (d == least && best == "" && d <= max(len(s), len(w))/3) {
			best, least = w, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour to get from a to b
// (optimal string alignment).
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
