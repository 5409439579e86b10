package deflate

import "encoding/binary"

// The parts of a sequence: the literals that come before a match, and the match. The last sequence of a block has no match.
//
//	bits 0-8 length of the match, 9-13 symbol of its distance, 16-31 distance, 32-63 number of literals
const (
	seqSymbol   = 9
	seqDistance = 16
	seqLiterals = 32
)

// limits on code lengths that the encoder keeps to: four literals, or a match, fit in the bit buffer beside seven bits left over.
const (
	litLenLimit = 14
	distLimit   = 15
)

// block holds what the encoder needs for one block beside its sequences.
type block struct {
	builder  codeBuilder
	litFreq  [4][numLitLen]uint32
	distFreq [numDist]uint32
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

	// What is written for a symbol: code and extra bits in the low 24 bits, their number above.
	literals [256]uint32
	matches  [maxMatch + 1]uint32
}

const (
	emitBits = 24
	emitMask = 1<<emitBits - 1
)

// count takes the frequencies of the symbols in the sequences, which cover src.
func (b *block) count(seqs []uint64, src []byte) {
	b.litFreq = [4][numLitLen]uint32{}
	b.distFreq = [numDist]uint32{}
	f := &b.litFreq
	for _, s := range seqs {
		run := src[:s>>seqLiterals]
		for ; len(run) >= 4; run = run[4:] {
			f[0][run[0]]++
			f[1][run[1]]++
			f[2][run[2]]++
			f[3][run[3]]++
		}
		for i, c := range run {
			f[i&3][c]++
		}
		n := s & (1<<seqSymbol - 1)
		src = src[s>>seqLiterals+n:]
		if n != 0 {
			f[0][endOfBlock+1+uint(lengthSymbols[n])]++
			b.distFreq[s>>seqSymbol&31]++
		}
	}
	f[0][endOfBlock] = 1
	for i := range f[0] {
		f[0][i] += f[1][i] + f[2][i] + f[3][i]
	}
}

// size returns how many bits the symbols take with the code lengths as they are, the extra bits included.
func (b *block) size(lit *[288]uint8, dist *[32]uint8) int {
	var n uint32
	for i, f := range b.litFreq[0][:endOfBlock+1] {
		n += f * uint32(lit[i])
	}
	for i, f := range b.litFreq[0][endOfBlock+1:] {
		n += f * uint32(lit[endOfBlock+1+i]+lengthBits[i])
	}
	for i, f := range b.distFreq {
		n += f * uint32(dist[i]+distBits[i])
	}
	return int(n)
}

// build makes the codes of a dynamic block from the frequencies and returns how many bits its header and symbols take.
func (b *block) build() int {
	clear(b.litLen[numLitLen:]) // a fixed block has codes there
	clear(b.distLen[numDist:])
	b.builder.lengths(b.litLen[:numLitLen], b.litFreq[0][:], litLenLimit)
	b.builder.lengths(b.distLen[:numDist], b.distFreq[:], distLimit)
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
	return header + b.size(&b.litLen, &b.distLen)
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

// bitWriter collects bits and appends them to a slice that has room for them and for eight bytes beyond.
type bitWriter struct {
	out  []byte
	at   int
	bits uint64
	n    uint // in bits, below 8 after a flush
}

func (w *bitWriter) put(v uint64, n uint) {
	w.bits |= v << (w.n & 63)
	w.n += n
}

func (w *bitWriter) flush() {
	binary.LittleEndian.PutUint64(w.out[w.at:], w.bits)
	w.at += int(w.n >> 3)
	w.bits >>= w.n & 56
	w.n &= 7
}

// align fills the last byte up with zeroes.
func (w *bitWriter) align() {
	w.n = (w.n + 7) &^ 7
	w.flush()
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
		b.literals[i] = uint32(b.litCode[i]) | uint32(b.litLen[i])<<emitBits
	}
	for n := 3; n <= maxMatch; n++ {
		s := lengthSymbols[n]
		l := uint32(b.litLen[endOfBlock+1+uint(s)])
		extra := uint32(n) - uint32(lengthBase[s])
		b.matches[n] = uint32(b.litCode[endOfBlock+1+uint(s)]) | extra<<l | (l+uint32(lengthBits[s]))<<emitBits
	}
}

// writeSymbols writes the sequences, which cover src, and the end of the block.
func (b *block) writeSymbols(w *bitWriter, seqs []uint64, src []byte) {
	out, at, acc, n := w.out, w.at, w.bits, w.n
	for _, s := range seqs {
		run := src[:s>>seqLiterals]
		for ; len(run) >= 4; run = run[4:] {
			e0, e1, e2, e3 := b.literals[run[0]], b.literals[run[1]], b.literals[run[2]], b.literals[run[3]]
			acc |= uint64(e0&emitMask) << (n & 63)
			n += uint(e0 >> emitBits)
			acc |= uint64(e1&emitMask) << (n & 63)
			n += uint(e1 >> emitBits)
			acc |= uint64(e2&emitMask) << (n & 63)
			n += uint(e2 >> emitBits)
			acc |= uint64(e3&emitMask) << (n & 63)
			n += uint(e3 >> emitBits)
			binary.LittleEndian.PutUint64(out[at:], acc)
			at += int(n >> 3)
			acc >>= n & 56
			n &= 7
		}
		if len(run) > 0 {
			for _, c := range run {
				e := b.literals[c]
				acc |= uint64(e&emitMask) << (n & 63)
				n += uint(e >> emitBits)
			}
			binary.LittleEndian.PutUint64(out[at:], acc)
			at += int(n >> 3)
			acc >>= n & 56
			n &= 7
		}
		length := s & (1<<seqSymbol - 1)
		src = src[s>>seqLiterals+length:]
		if length == 0 {
			continue
		}
		e := b.matches[length]
		acc |= uint64(e&emitMask) << (n & 63)
		n += uint(e >> emitBits)
		d := s >> seqSymbol & 31
		acc |= uint64(b.distCode[d]) << (n & 63)
		n += uint(b.distLen[d])
		acc |= (s>>seqDistance&0xffff - uint64(distBase[d%numDist])) << (n & 63)
		n += uint(distBits[d%numDist])
		binary.LittleEndian.PutUint64(out[at:], acc)
		at += int(n >> 3)
		acc >>= n & 56
		n &= 7
	}
	w.at, w.bits, w.n = at, acc, n
	w.put(uint64(b.litCode[endOfBlock]), uint(b.litLen[endOfBlock]))
	w.flush()
}
