package xz

const (
	states       = 12
	literalState = 7 // states below follow a literal
	maxPosBits   = 4
	lengthStates = 4 // distances of matches of 2, 3, 4 and more bytes are coded apart
	slotBits     = 6
	alignBits    = 4
	firstModel   = 4  // slots below are distances themselves
	lastModel    = 14 // slots from here on have direct bits
	fullModels   = 1 << (lastModel / 2)
	minMatch     = 2
	literalProbs = 0x300
	maxLiteral   = 4          // lc + lp: what LZMA2 allows, and every .lzma file that any program writes
	endMarker    = 0xffffffff // a distance that means the end
)

// lengths decodes the lengths of matches.
type lengths struct {
	choice, choice2 uint16
	low, mid        [1 << maxPosBits][1 << 3]uint16
	high            [1 << 8]uint16
}

// lzma decodes symbols into a dictionary. Its state outlives the chunks of LZMA2.
type lzma struct {
	rc   rangeDecoder
	dict dictionary

	lc, lpMask, pbMask uint32

	total                  uint32 // bytes since the dictionary was reset, of which the lowest bits count
	state                  uint32
	rep0, rep1, rep2, rep3 uint32 // the last distances, less one
	pending                int    // bytes of a match that had no room

	isMatch, isRep0Long              [states << maxPosBits]uint16
	isRep, isRepG0, isRepG1, isRepG2 [states]uint16
	slots                            [lengthStates][1 << slotBits]uint16
	special                          [fullModels - lastModel + 1]uint16
	align                            [1 << alignBits]uint16
	length, repLength                lengths
	literals                         []uint16
}

// properties sets lc, lp and pb from their byte: (pb * 5 + lp) * 9 + lc.
func (d *lzma) properties(b byte) bool {
	lc, lp, pb := uint32(b%9), uint32(b/9%5), uint32(b/45)
	if pb > maxPosBits || lc+lp > maxLiteral {
		return false
	}
	d.lc, d.lpMask, d.pbMask = lc, 1<<lp-1, 1<<pb-1
	if n := literalProbs << (lc + lp); cap(d.literals) < n {
		d.literals = make([]uint16, n)
	} else {
		d.literals = d.literals[:n]
	}
	return true
}

// resetState makes the decoder forget what it learnt, not the dictionary.
func (d *lzma) resetState() {
	d.state, d.rep0, d.rep1, d.rep2, d.rep3, d.pending = 0, 0, 0, 0, 0, 0
	for _, probs := range [][]uint16{d.isMatch[:], d.isRep0Long[:], d.isRep[:], d.isRepG0[:], d.isRepG1[:], d.isRepG2[:], d.special[:], d.align[:], d.literals} {
		fill(probs)
	}
	for i := range d.slots {
		fill(d.slots[i][:])
	}
	for _, l := range []*lengths{&d.length, &d.repLength} {
		l.choice, l.choice2 = probInit, probInit
		for i := range l.low {
			fill(l.low[i][:])
			fill(l.mid[i][:])
		}
		fill(l.high[:])
	}
}

func fill(probs []uint16) {
	for i := range probs {
		probs[i] = probInit
	}
}

// outcome is why run returned.
type outcome int

const (
	filled  outcome = iota // n bytes were decoded
	starved                // the input's bound was passed
	ended                  // the end marker was read
	bad                    // a match reaches behind the content
)

// run decodes until n bytes stand at dict.pos, which must have room for them, or until the input passes bound. What it decoded is
// counted by dict.wrote.
func (d *lzma) run(n, bound int) outcome {
	start := d.dict.pos
	end := start + n
	if d.pending > 0 {
		d.copyMatch(end)
	}
	for d.dict.pos < end {
		if d.rc.pos > bound {
			return starved
		}
		ps := d.total & d.pbMask
		if d.rc.bit(&d.isMatch[d.state<<maxPosBits|ps]) == 0 {
			d.literal()
			continue
		}
		if d.rc.bit(&d.isRep[d.state]) == 0 {
			d.match(ps)
			if d.rep0 == endMarker {
				return ended
			}
		} else if !d.repeat(ps) {
			return bad
		}
		if uint64(d.rep0) >= uint64(d.dict.full) {
			return bad
		}
		d.copyMatch(end)
	}
	return filled
}

// literal decodes one byte. After a match its bits are coded in the light of the byte at the last distance.
func (d *lzma) literal() {
	buf, at := d.dict.buf, d.dict.pos
	before := at - 1
	if before < 0 {
		before = len(buf) - 1
	}
	context := (d.total&d.lpMask)<<d.lc + uint32(buf[before])>>(8-d.lc)
	probs := d.literals[context*literalProbs:][:literalProbs:literalProbs]
	rng, code, in, pos := d.rc.rng, d.rc.code, d.rc.in, d.rc.pos
	m := uint32(1)
	if d.state >= literalState {
		match := uint32(buf[d.dict.behind(d.rep0)])
		offset := uint32(0x100)
		for m < 0x100 {
			match <<= 1
			same := match & offset
			p := &probs[offset+same+m]
			v := uint32(*p)
			bound := (rng >> probBits) * v
			if code < bound {
				rng = bound
				*p = uint16(v + (1<<probBits-v)>>probMove)
				m <<= 1
				offset &^= same
			} else {
				rng -= bound
				code -= bound
				*p = uint16(v - v>>probMove)
				m = m<<1 | 1
				offset &= same
			}
			if rng < rangeTop {
				rng <<= 8
				code = code<<8 | uint32(in[pos])
				pos++
			}
		}
	} else {
		for m < 0x100 {
			p := &probs[m]
			v := uint32(*p)
			bound := (rng >> probBits) * v
			if code < bound {
				rng = bound
				*p = uint16(v + (1<<probBits-v)>>probMove)
				m <<= 1
			} else {
				rng -= bound
				code -= bound
				*p = uint16(v - v>>probMove)
				m = m<<1 | 1
			}
			if rng < rangeTop {
				rng <<= 8
				code = code<<8 | uint32(in[pos])
				pos++
			}
		}
	}
	d.rc.rng, d.rc.code, d.rc.pos = rng, code, pos
	buf[at] = byte(m)
	d.dict.wrote(1)
	d.total++
	switch {
	case d.state < 4:
		d.state = 0
	case d.state < 10:
		d.state -= 3
	default:
		d.state -= 6
	}
}

// match decodes a length and a new distance.
func (d *lzma) match(ps uint32) {
	d.rep1, d.rep2, d.rep3 = d.rep0, d.rep1, d.rep2
	n := d.length.decode(&d.rc, ps)
	d.state = after(d.state, 7, 10)
	slot := d.rc.tree(d.slots[min(n, lengthStates-1)][:])
	d.pending = int(n) + minMatch
	if slot < firstModel {
		d.rep0 = slot
		return
	}
	bits := slot>>1 - 1
	base := (2 | slot&1) << bits
	if slot < lastModel {
		d.rep0 = base + d.rc.reverse(d.special[base-slot:], bits)
		return
	}
	base += d.rc.direct(bits-alignBits) << alignBits
	d.rep0 = base + d.rc.reverse(d.align[:], alignBits)
}

// repeat decodes which of the last distances comes again, and a length. It fails where there is no content to repeat.
func (d *lzma) repeat(ps uint32) bool {
	if d.dict.full == 0 {
		return false
	}
	switch {
	case d.rc.bit(&d.isRepG0[d.state]) == 0:
		if d.rc.bit(&d.isRep0Long[d.state<<maxPosBits|ps]) == 0 {
			d.state = after(d.state, 9, 11)
			d.pending = 1
			return true
		}
	case d.rc.bit(&d.isRepG1[d.state]) == 0:
		d.rep0, d.rep1 = d.rep1, d.rep0
	case d.rc.bit(&d.isRepG2[d.state]) == 0:
		d.rep0, d.rep1, d.rep2 = d.rep2, d.rep0, d.rep1
	default:
		d.rep0, d.rep1, d.rep2, d.rep3 = d.rep3, d.rep0, d.rep1, d.rep2
	}
	d.pending = int(d.repLength.decode(&d.rc, ps)) + minMatch
	d.state = after(d.state, 8, 11)
	return true
}

// after picks the state after a symbol: one for after a literal, one for after anything else.
func after(state, literal, other uint32) uint32 {
	if state < literalState {
		return literal
	}
	return other
}

// decode returns a length less minMatch.
func (l *lengths) decode(rc *rangeDecoder, ps uint32) uint32 {
	if rc.bit(&l.choice) == 0 {
		return rc.tree(l.low[ps][:])
	}
	if rc.bit(&l.choice2) == 0 {
		return 8 + rc.tree(l.mid[ps][:])
	}
	return 16 + rc.tree(l.high[:])
}

// behind returns the index of the byte at a distance, less one, before pos.
func (d *dictionary) behind(dist uint32) int {
	i := d.pos - int(dist) - 1
	if i < 0 {
		i += len(d.buf)
	}
	return i
}

// copyMatch copies what is pending of a match, up to the index end. The distance was compared with the content.
func (d *lzma) copyMatch(end int) {
	w := &d.dict
	for d.pending > 0 && w.pos < end {
		from := w.behind(d.rep0)
		dst := w.buf[w.pos:min(w.pos+d.pending, end)]
		var n int
		if from < w.pos {
			n = copy(dst, w.buf[from:w.pos])
			for n < len(dst) { // what was just copied comes again
				n += copy(dst[n:], dst[:n])
			}
		} else {
			n = copy(dst, w.buf[from:]) // and from the ring's beginning in the next round
		}
		w.wrote(n)
		d.total += uint32(n)
		d.pending -= n
	}
}
