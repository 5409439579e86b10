package deflate

import "encoding/binary"

// adlerModulus is the largest prime below 65536 (RFC 1950 section 8.2).
const adlerModulus = 65521

// adlerRun is how many bytes the lanes of adler take before they could overflow: 16 bits hold 22 steps of 255, summed up.
const adlerRun = 22 * 8

// adler returns the Adler-32 sum of p. It adds the bytes of eight columns side by side, in the lanes of two words, and what the
// columns have had so far, in two more; the sums of whole runs are made of these.
func adler(p []byte) uint32 {
	const lanes = 0x00ff00ff00ff00ff
	a, b := uint64(1), uint64(0)
	for len(p) >= adlerRun {

		var even, odd, evenSum, oddSum uint64
		for q := p[:adlerRun]; len(q) >= 8; q = q[8:] {
			evenSum += even
			oddSum += odd
			v := binary.LittleEndian.Uint64(q)
			even += v & lanes
			odd += v >> 8 & lanes
		}
		p = p[adlerRun:]
		// A byte in column c of step s counts adlerRun-8s-c times: the steps after it, eight times each, are in the sums.
		b += adlerRun * a
		b += 8 * (lanesSum(evenSum) + lanesSum(oddSum))
		for c := range uint(4) {
			e, o := even>>(16*c)&0xffff, odd>>(16*c)&0xffff
			a += e + o
			b += e*uint64(8-2*c) + o*uint64(7-2*c)
		}
		if b >= 1<<62 {
			a %= adlerModulus
			b %= adlerModulus
		}
	}
	a %= adlerModulus
	b %= adlerModulus
	for _, c := range p { // fewer than adlerRun: no overflow
		a += uint64(c)
		b += a
	}
	return uint32(b%adlerModulus)<<16 | uint32(a%adlerModulus)
}

// lanesSum returns the sum of the four 16-bit lanes.
func lanesSum(v uint64) uint64 {
	const halves = 0x0000ffff0000ffff
	v = v&halves + v>>16&halves
	return v&0xffffffff + v>>32
}
