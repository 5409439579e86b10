package deflate

import "math/bits"

// codeBuilder makes length-limited Huffman codes. It holds what that takes, so that nothing is allocated.
type codeBuilder struct {
	leaves  [numLitLen]uint64 // frequency<<16 | symbol, by frequency
	sorting [numLitLen]uint64
	nodes   [2 * numLitLen]uint32 // weights of the tree's nodes, then their depths; leaves and parents are told apart by index
	parent  [2 * numLitLen]uint16
}

// lengths sets the code length of each symbol from its frequency; none is longer than limit. A code of one symbol gets a second one
// beside it, as some inflaters refuse a code that is not complete. Returns the number of symbols in use.
func (c *codeBuilder) lengths(length []uint8, freq []uint32, limit int) int {
	n := 0
	for s, f := range freq {
		length[s] = 0
		if f != 0 {
			c.leaves[n] = uint64(f)<<16 | uint64(s)
			n++
		}
	}
	if n < 2 {
		used := 0
		if n == 1 {
			used = int(c.leaves[0] & 0xffff)
		}
		length[0], length[max(used, 1)] = 1, 1
		return n
	}
	c.sort(n)
	counts := c.depths(n, limit)
	// The rarest symbols get the longest codes.
	i := 0
	for bits := limit; bits > 0; bits-- {
		for range counts[bits] {
			length[c.leaves[i]&0xffff] = uint8(bits)
			i++
		}
	}
	return n
}

// sort orders n leaves by frequency: byte after byte from the lowest, as far as the highest frequency has bytes.
func (c *codeBuilder) sort(n int) {
	from, to := &c.leaves, &c.sorting
	var all uint64
	for _, v := range from[:n] {
		all |= v
	}
	for shift := uint(16); all>>shift != 0; shift += 8 {
		var at [256]uint16
		for _, v := range from[:n] {
			at[uint8(v>>shift)]++
		}
		next := uint16(0)
		for i, k := range at {
			at[i] = next
			next += k
		}
		for _, v := range from[:n] {
			b := uint8(v >> shift)
			to[at[b]] = v
			at[b]++
		}
		from, to = to, from
	}
	if from != &c.leaves {
		c.leaves = *from
	}
}

// depths builds the tree of the sorted leaves with two queues and returns how many leaves are how deep, with depths beyond the
// limit taken back.
func (c *codeBuilder) depths(n, limit int) (counts [maxCodeBits + 1]int) {
	// Nodes 0..n-1 are leaves, n..2n-2 are made in the order of their weight.
	for i := range n {
		c.nodes[i] = uint32(c.leaves[i] >> 16)
	}
	leaf, node := 0, n
	for made := n; made < 2*n-1; made++ {
		var sum uint32
		for range 2 {
			take := node
			if node >= made || leaf < n && c.nodes[leaf] <= c.nodes[node] {
				take = leaf
				leaf++
			} else {
				node++
			}
			sum += c.nodes[take]
			c.parent[take] = uint16(made)
		}
		c.nodes[made] = sum
	}
	// From the root down, depths replace weights.
	c.nodes[2*n-2] = 0
	for i := 2*n - 3; i >= 0; i-- {
		d := c.nodes[c.parent[i]] + 1
		c.nodes[i] = d
		if i < n {
			counts[min(int(d), limit)]++
		}
	}
	// Leaves that were moved up to the limit take more than the code has: in units of the longest code, each makes one too many
	// until a shorter leaf moves down and makes room.
	room := -1 << limit
	for l := 1; l <= limit; l++ {
		room += counts[l] << (limit - l)
	}
	for room > 0 {
		l := limit - 1
		for counts[l] == 0 {
			l--
		}
		counts[l]--
		counts[l+1] += 2
		counts[limit]--
		room--
	}
	return counts
}

// canonical sets the code of each symbol with a length (RFC 1951 section 3.2.2), as it is written: its first bit lowest.
func canonical(codes []uint16, length []uint8) {
	var next [maxCodeBits + 2]uint16
	for _, l := range length {
		next[l+1]++
	}
	next[1] = 0 // what has no length has no code
	for l := 1; l < len(next); l++ {
		next[l] = (next[l-1] + next[l]) << 1
	}
	for s, l := range length {
		if l != 0 {
			codes[s] = bits.Reverse16(next[l]) >> (16 - l)
			next[l]++
		}
	}
}
