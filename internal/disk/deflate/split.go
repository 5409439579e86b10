package deflate

import (
	"math"
	"slices"
)

// maxParts is into how many parts the sequences of a piece are cut, each of which may become a block.
const maxParts = 16

// headerBits and symbolBits are about what the header of a dynamic block takes, and what each symbol in use adds: the mean over
// programs and texts.
const (
	headerBits = 120
	symbolBits = 4
)

// minPart is how many sequences a part has at least, so that it is worth a header.
const minPart = 256

// part is a run of sequences and its content in the piece.
type part struct {
	histogram
	firstSeq, endSeq int
	from, end        int
	cost             float32 // about what it takes as a block, in bits, extra bits aside
	gain             float32 // what joining it with its successor saves
}

// weights holds f*log2(f) for frequencies up to a table's end.
var weights = func() (t [4096]float32) {
	for f := range t {
		if f > 1 {
			t[f] = float32(float64(f) * math.Log2(float64(f)))
		}
	}
	return t
}()

func weight(f uint32) float32 {
	if f < uint32(len(weights)) {
		return weights[f]
	}
	return float32(float64(f) * math.Log2(float64(f)))
}

// cost returns about how many bits a dynamic block with these symbols takes, without their extra bits.
func (h *histogram) cost() float32 {
	var sum, n float32
	var total uint32
	used := 0
	for _, f := range h.litLen[:numLitLen] {
		sum += weight(f)
		total += f
		if f != 0 {
			used++
		}
	}
	n = weight(total) - sum
	sum, total = 0, 0
	for _, f := range h.dist[:numDist] {
		sum += weight(f)
		total += f
		if f != 0 {
			used++
		}
	}
	return n + weight(total) - sum + headerBits + symbolBits*float32(used)
}

// split cuts the sequences, whose content begins at from in the piece, into the parts that shall become blocks: at first of equal
// numbers of sequences; then neighbours are joined as long as that saves bits, those first with whom it saves most.
func (e *Encoder) split(seqs []uint64, from int) []*part {
	n := min(e.maxParts, 1+len(seqs)/minPart)
	parts := e.order[:n]
	for i := range parts {
		q := &e.parts[i]
		parts[i] = q
		q.firstSeq, q.endSeq = len(seqs)*i/n, len(seqs)*(i+1)/n
		q.from = from
		q.end = q.count(&e.counter, seqs[q.firstSeq:q.endSeq], &e.piece, from, i == n-1)
		q.litLen[endOfBlock] = 1
		q.cost = q.histogram.cost()
		from = q.end
	}
	for i := range n - 1 {
		e.joined(parts[i], parts[i+1])
	}
	for len(parts) > 1 {
		best := 0
		for i := range len(parts) - 1 {
			if parts[i].gain > parts[best].gain {
				best = i
			}
		}
		q, next := parts[best], parts[best+1]
		if q.gain < 0 {
			break
		}
		q.add(&next.histogram)
		q.cost += next.cost - q.gain
		q.endSeq, q.end = next.endSeq, next.end
		parts = slices.Delete(parts, best+1, best+2)
		if best > 0 {
			e.joined(parts[best-1], q)
		}
		if best < len(parts)-1 {
			e.joined(q, parts[best+1])
		}
	}
	return parts
}

// joined finds what a part gains by being joined with the next.
func (e *Encoder) joined(q, next *part) {
	e.sum = q.histogram
	e.sum.add(&next.histogram)
	q.gain = q.cost + next.cost - e.sum.cost()
}
