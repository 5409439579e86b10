package deflate

import "encoding/binary"

// The parts of a sequence: the literals that come before a match, and the match. The last sequence of a block has literals only.
//
//	bits 0-7 length of the match less 3, 8-12 symbol of its distance, 16-31 distance, 32-63 number of literals
const (
	seqLength   = 0xff
	seqSymbol   = 8
	seqDistance = 16
	seqLiterals = 32
)

// sequence returns the sequence of so many literals and a match.
func sequence(literals, length, dist int) uint64 {
	return uint64(length-minMatch) | uint64(distSymbol(uint32(dist)))<<seqSymbol | uint64(uint16(dist))<<seqDistance | uint64(literals)<<seqLiterals
}

// Limits on code lengths that the encoder keeps to: four literals, or a match, fit in the bit buffer beside seven bits left over.
const (
	litLenLimit = 14
	distLimit   = 15
)

// block holds what the encoder needs for one block beside its sequences.
type block struct {
	builder  codeBuilder
	litLen   [288]uint8
	distLen  [32]uint8
	litCode  [288]uint16
	distCode [32]uint16

	// The header of a dynamic block: code lengths run by run, as symbol | extra bits<<8.
	runs    [288 + 32]uint16
	numRuns int
	preFreq [numPre]uint32
	preLen  [numPre]uint8
	preCode [numPre]uint16
	numLit  int // code lengths that are written
	numDist int
	numPre  int

	// What is written: the code of a literal and its length in the upper half; that of a length with its extra bits, and their number
	// in the upper byte, by length-3; the code of a distance symbol, with its length and that of code and extra bits in the upper bytes.
	literals  [256]uint32
	matches   [256]uint32
	distances [32]uint32
}

// size returns how many bits the symbols take with the code lengths as they are, the extra bits included.
func (h *histogram) size(lit *[288]uint8, dist *[32]uint8) int {
	var n uint32
	for i, f := range h.litLen[:endOfBlock+1] {
		n += f * uint32(lit[i])
	}
	for i, f := range h.litLen[endOfBlock+1 : numLitLen] {
		n += f * uint32(lit[endOfBlock+1+i]+lengthBits[i])
	}
	for i, f := range h.dist[:numDist] {
		n += f * uint32(dist[i]+distBits[i])
	}
	return int(n)
}

// build makes the codes of a dynamic block from the frequencies and returns how many bits its header and symbols take.
func (b *block) build(h *histogram) int {
	clear(b.litLen[numLitLen:]) // a fixed block has codes there
	clear(b.distLen[numDist:])
	b.builder.lengths(b.litLen[:numLitLen], h.litLen[:numLitLen], litLenLimit)
	b.builder.lengths(b.distLen[:numDist], h.dist[:numDist], distLimit)
	b.numLit, b.numDist = numLitLen, numDist
	for b.litLen[b.numLit-1] == 0 { // ends at the end of block at the latest
		b.numLit--
	}
	for b.distLen[b.numDist-1] == 0 { // the builder makes two codes at least
		b.numDist--
	}
	b.runLengths()
	b.builder.lengths(b.preLen[:], b.preFreq[:], maxPreBits)
	b.numPre = numPre
	for b.preLen[preOrder[b.numPre-1]] == 0 {
		b.numPre--
	}
	header := 3 + 5 + 5 + 4 + 3*b.numPre
	for s, f := range b.preFreq {
		header += int(f) * int(b.preLen[s])
	}
	header += 2*int(b.preFreq[16]) + 3*int(b.preFreq[17]) + 7*int(b.preFreq[18])
	return header + h.size(&b.litLen, &b.distLen)
}

// runLengths writes the code lengths as runs (RFC 1951 section 3.2.7): 16 repeats the last length 3 to 6 times, 17 and 18 are 3 to
// 10 and 11 to 138 zeroes. A run may go on from the one alphabet into the other.
func (b *block) runLengths() {
	var all [numLitLen + numDist]uint8
	lengths := all[:b.numLit+b.numDist]
	copy(lengths, b.litLen[:b.numLit])
	copy(lengths[b.numLit:], b.distLen[:b.numDist])
	b.preFreq = [numPre]uint32{}
	n := 0
	put := func(symbol, extra int) {
		b.runs[n] = uint16(symbol | extra<<8)
		b.preFreq[symbol]++
		n++
	}
	for i := 0; i < len(lengths); {
		l := lengths[i]
		end := i + 1
		for end < len(lengths) && lengths[end] == l {
			end++
		}
		run := end - i
		i = end
		if l == 0 {
			for run >= 11 {
				k := min(run, 138)
				put(18, k-11)
				run -= k
			}
			if run >= 3 {
				put(17, run-3)
				run = 0
			}
		} else {
			put(int(l), 0)
			run--
			for run >= 3 {
				k := min(run, 6)
				if run == 7 || run == 8 {
					k = run - 3 // rather two runs than one and literal lengths
				}
				put(16, k-3)
				run -= k
			}
		}
		for range run {
			put(int(l), 0)
		}
	}
	b.numRuns = n
}

// writeHeader writes the beginning of a dynamic block.
func (b *block) writeHeader(w *bitWriter, last uint64) {
	w.put(last|blockDynamic<<1, 3)
	w.put(uint64(b.numLit-257), 5)
	w.put(uint64(b.numDist-1), 5)
	w.put(uint64(b.numPre-4), 4)
	for _, s := range preOrder[:b.numPre] {
		w.flush()
		w.put(uint64(b.preLen[s]), 3)
	}
	canonical(b.preCode[:], b.preLen[:])
	for _, r := range b.runs[:b.numRuns] {
		s := r & 31
		w.flush()
		w.put(uint64(b.preCode[s]), uint(b.preLen[s]))
		switch s {
		case 16:
			w.put(uint64(r>>8), 2)
		case 17:
			w.put(uint64(r>>8), 3)
		case 18:
			w.put(uint64(r>>8), 7)
		}
	}
	w.flush()
}

// prepare sets what is written for each literal and match length from the code lengths.
func (b *block) prepare() {
	canonical(b.litCode[:], b.litLen[:])
	canonical(b.distCode[:], b.distLen[:])
	for i := range b.literals {
		b.literals[i] = uint32(b.litCode[i]) | uint32(b.litLen[i])<<16
	}
	for n := range b.matches {
		s := lengthSymbols[n]
		l := uint32(b.litLen[endOfBlock+1+uint(s)])
		extra := uint32(n) + minMatch - uint32(lengthBase[s])
		b.matches[n] = uint32(b.litCode[endOfBlock+1+uint(s)]) | extra<<l | (l+uint32(lengthBits[s]))<<24
	}
	for s := range numDist {
		l := uint32(b.distLen[s])
		b.distances[s] = uint32(b.distCode[s]) | l<<16 | (l+uint32(distBits[s]))<<24
	}
}

// writeSymbols writes the sequences, whose content is from from to end in the piece, and the end of the block.
func (b *block) writeSymbols(w *bitWriter, seqs []uint64, p *pieceBytes, from, end int) {
	out, at, acc, n := w.out, w.at, w.bits, w.n
	pos := uint(from)
	for _, s := range seqs {
		run := int(s >> seqLiterals)
		i := pos
		pos += uint(run) + uint(s&seqLength) + minMatch
		for ; run > 4; run -= 4 {
			v := load32(p, uint16(i))
			e := b.literals[uint8(v)]
			acc |= uint64(uint16(e)) << (n & 63)
			n += uint(e >> 16)
			e = b.literals[uint8(v>>8)]
			acc |= uint64(uint16(e)) << (n & 63)
			n += uint(e >> 16)
			e = b.literals[uint8(v>>16)]
			acc |= uint64(uint16(e)) << (n & 63)
			n += uint(e >> 16)
			e = b.literals[v>>24]
			acc |= uint64(uint16(e)) << (n & 63)
			n += uint(e >> 16)
			binary.LittleEndian.PutUint64(out[at:], acc)
			at += int(n >> 3)
			acc >>= n & 56
			n &= 7
			i += 4
		}
		v := load32(p, uint16(i))
		e0 := b.literals[uint8(v)] & uint32(below(0, run))
		e1 := b.literals[uint8(v>>8)] & uint32(below(1, run))
		e2 := b.literals[uint8(v>>16)] & uint32(below(2, run))
		e3 := b.literals[v>>24] & uint32(below(3, run))
		n01 := uint(e0>>16) + uint(e1>>16)
		v01 := uint64(uint16(e0)) | uint64(uint16(e1))<<(e0>>16&63)
		v23 := uint64(uint16(e2)) | uint64(uint16(e3))<<(e2>>16&63)
		acc |= (v01 | v23<<(n01&63)) << (n & 63)
		n += n01 + uint(e2>>16) + uint(e3>>16)
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n & 56
		n &= 7
		if i+uint(run) == uint(end) {
			break // the last sequence of a piece has no match
		}
		e := b.matches[s&seqLength]
		acc |= uint64(e&0xffffff) << (n & 63)
		n += uint(e >> 24)
		d := s >> seqSymbol & 31
		e = b.distances[d]
		extra := s>>seqDistance&0xffff - uint64(distBase[d%32])
		acc |= (uint64(uint16(e)) | extra<<(e>>16&31)) << (n & 63)
		n += uint(e >> 24)
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n & 56
		n &= 7
	}
	w.at, w.bits, w.n = at, acc, n
	w.put(uint64(b.litCode[endOfBlock]), uint(b.litLen[endOfBlock]))
	w.flush()
}
