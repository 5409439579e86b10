package deflate

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// optimalBits is the cost of the best code without a limit: the sum of the weights of all inner nodes of Huffman's tree.
func optimalBits(freq []uint32) (sum int) {
	var w []int
	for _, f := range freq {
		if f != 0 {
			w = append(w, int(f))
		}
	}
	for len(w) > 1 {
		slices.Sort(w)
		w[1] += w[0]
		sum += w[1]
		w = w[1:]
	}
	return sum
}

func TestCodeLengths(t *testing.T) {
	var b codeBuilder
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(5, maxCodeBits).Draw(t, "limit")
		most := min(numLitLen, 1<<limit)
		freq := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) uint32 {
			return rapid.Uint32().Draw(t, "f") >> rapid.IntRange(13, 32).Draw(t, "shift")
		}), 2, most).Draw(t, "frequencies")
		length := make([]uint8, len(freq))
		n := b.lengths(length, freq, limit)
		kraft, cost, longest := 0, 0, 0
		for s, l := range length {
			if n >= 2 && (l == 0) != (freq[s] == 0) {
				t.Fatalf("symbol %d with frequency %d has %d bits", s, freq[s], l)
			}
			if l != 0 {
				kraft += 1 << (limit - int(l))
			}
			longest = max(longest, int(l))
			cost += int(l) * int(freq[s])
			for o, m := range length {
				if freq[s] > freq[o] && freq[o] != 0 && l > m {
					t.Fatalf("frequency %d has %d bits, %d has %d", freq[s], l, freq[o], m)
				}
			}
		}
		if longest > limit {
			t.Fatalf("%d bits, limit %d", longest, limit)
		}
		if kraft != 1<<limit {
			t.Fatalf("the code is not complete: %d of %d", kraft, 1<<limit)
		}
		if best := optimalBits(freq); n >= 2 && longest < limit && cost != best {
			t.Fatalf("%d bits, the best code has %d", cost, best)
		}
	})
}
