package deflate

import "encoding/binary"

// Decoder restores what streams hold. It keeps its tables, so that a call allocates nothing. The zero value is ready; not safe for
// concurrent use.
type Decoder struct {
	litLen  [litLenEntries]uint32
	dist    [distEntries]uint32
	pre     [1 << prePrimary]uint32
	builder tableBuilder
	lengths [288 + 32 + 138]uint8 // a run may write beyond the last length before that is seen
	fixed   bool                  // the tables are those of fixed blocks
}

// reader takes bits from a slice.
type reader struct {
	in   []byte
	at   int
	bits uint64
	n    uint // in bits
	past uint // bytes beyond the end that were taken as zeroes
}

// fill makes sure that 56 bits are there, with zeroes beyond the end.
func (r *reader) fill() {
	if len(r.in)-r.at >= 8 {
		r.bits |= binary.LittleEndian.Uint64(r.in[r.at:]) << (r.n & 63)
		r.at += int((63 - r.n) >> 3)
		r.n |= 56
		return
	}
	for r.n < 56 {
		if r.at < len(r.in) {
			r.bits |= uint64(r.in[r.at]) << r.n
			r.at++
		} else {
			r.past++
		}
		r.n += 8
	}
}

// take returns the next n bits, of which there must be as many.
func (r *reader) take(n uint) uint32 {
	v := uint32(r.bits & (1<<n - 1))
	r.bits >>= n
	r.n -= n
	return v
}

// overrun tells whether bits were taken that the input does not have.
func (r *reader) overrun() bool { return r.n>>3 < r.past }

// fail returns the error for bits that were taken and make no sense: those that the input has are not to blame for those it lacks.
func (r *reader) fail() error {
	if r.overrun() {
		return ErrTruncated
	}
	return ErrCorrupt
}

// Inflate restores into dst what the stream at the beginning of src holds. It returns how many bytes of dst it filled and how many of
// src the stream takes; what follows the stream is not looked at. With an error n counts what was restored before, and used is 0.
func (d *Decoder) Inflate(dst, src []byte) (n, used int, err error) {
	r := reader{in: src}
	for {
		r.fill()
		head := r.take(3)
		if r.overrun() {
			return n, 0, ErrTruncated
		}
		switch head >> 1 {
		case blockStored:
			n, err = r.stored(dst, n)
		case blockFixed:
			d.fixedTables()
			n, err = d.block(dst, n, &r)
		case blockDynamic:
			if err = d.dynamicTables(&r); err == nil {
				n, err = d.block(dst, n, &r)
			}
		default:
			err = ErrCorrupt
		}
		if err != nil {
			return n, 0, err
		}
		if head&1 != 0 {
			return n, r.at - int(r.n>>3-r.past), nil
		}
	}
}

// stored copies a stored block (RFC 1951 section 3.2.4).
func (r *reader) stored(dst []byte, n int) (int, error) {
	r.take(r.n & 7)
	r.at -= int(r.n>>3 - r.past) // back to the first byte not taken
	r.bits, r.n, r.past = 0, 0, 0
	if len(r.in)-r.at < 4 {
		return n, ErrTruncated
	}
	size := binary.LittleEndian.Uint16(r.in[r.at:])
	if size != ^binary.LittleEndian.Uint16(r.in[r.at+2:]) {
		return n, ErrCorrupt
	}
	r.at += 4
	k := copy(dst[n:], r.in[r.at:min(len(r.in), r.at+int(size))])
	r.at += k
	n += k
	switch {
	case k == int(size):
		return n, nil
	case r.at == len(r.in):
		return n, ErrTruncated
	}
	return n, ErrLong
}

func (d *Decoder) fixedTables() {
	if d.fixed {
		return
	}
	d.builder.build(d.litLen[:], litLenPrimary, fixedLitLen[:], litLenMeaning[:])
	d.builder.build(d.dist[:], distPrimary, fixedDistLen[:], distMeaning[:])
	d.fixed = true
}

// dynamicTables reads the header of a dynamic block (section 3.2.7).
func (d *Decoder) dynamicTables(r *reader) error {
	d.fixed = false
	numLit := int(r.take(5)) + 257
	numDist := int(r.take(5)) + 1
	numCodes := int(r.take(4)) + 4
	if r.overrun() {
		return ErrTruncated
	}
	if numLit > numLitLen || numDist > 30 {
		return ErrCorrupt
	}
	var pre [numPre]uint8
	for _, s := range preOrder[:numCodes] {
		if r.n < 3 {
			r.fill()
		}
		pre[s] = uint8(r.take(3))
	}
	if r.overrun() {
		return ErrTruncated
	}
	if !d.builder.build(d.pre[:], prePrimary, pre[:], preMeaning[:]) {
		return ErrCorrupt
	}
	total := numLit + numDist
	for i := 0; i < total; {
		if r.n < 14 {
			r.fill()
		}
		e := d.pre[r.bits&(1<<prePrimary-1)]
		r.take(uint(e & 63))
		if e&entryException != 0 {
			return r.fail()
		}
		s := e >> entryValue
		if s < 16 {
			d.lengths[i] = uint8(s)
			i++
			continue
		}
		var fill uint8
		var run int
		switch s {
		case 16:
			if i == 0 {
				return r.fail()
			}
			fill = d.lengths[i-1]
			run = 3 + int(r.take(2))
		case 17:
			run = 3 + int(r.take(3))
		default:
			run = 11 + int(r.take(7))
		}
		for j := range run {
			d.lengths[i+j] = fill
		}
		i += run
		if i > total {
			return r.fail()
		}
	}
	if r.overrun() {
		return ErrTruncated
	}
	if !d.builder.build(d.litLen[:], litLenPrimary, d.lengths[:numLit], litLenMeaning[:]) ||
		!d.builder.build(d.dist[:], distPrimary, d.lengths[numLit:total], distMeaning[:]) {
		return ErrCorrupt
	}
	return nil
}

// block restores the symbols of a block behind the first n bytes of dst.
func (d *Decoder) block(dst []byte, n int, r *reader) (int, error) {
	for {
		var done bool
		if n, done = d.fast(dst, n, r); done {
			return n, nil
		}
		n, done, err := d.slow(dst, n, r)
		if done || err != nil {
			return n, err
		}
	}
}

// slow restores symbols with all checks, until the block ends.
func (d *Decoder) slow(dst []byte, n int, r *reader) (int, bool, error) {
	for {
		r.fill()
		e := d.litLen[r.bits&(1<<litLenPrimary-1)]
		if e&(entryException|entrySubtable) == entryException|entrySubtable {
			r.take(litLenPrimary)
			e = d.litLen[e>>entryValue+uint32(r.bits)&(1<<(e>>entryCodeBits&15)-1)]
		}
		switch {
		case e&entryLiteral != 0:
			r.take(uint(e & 63))
			if r.overrun() {
				return n, false, ErrTruncated
			}
			if n == len(dst) {
				return n, false, ErrLong
			}
			dst[n] = byte(e >> entryValue)
			n++
			continue
		case e&entryEnd != 0:
			r.take(uint(e & 63))
			if r.overrun() {
				return n, false, ErrTruncated
			}
			return n, true, nil
		case e&entryException != 0:
			r.take(uint(e & 63))
			return n, false, r.fail()
		}
		code := uint(e >> entryCodeBits & 15)
		extra := uint(e&63) - code
		r.take(code)
		length := int(e>>entryValue) + int(r.take(extra))
		if r.overrun() {
			return n, false, ErrTruncated
		}
		r.fill()
		e = d.dist[r.bits&(1<<distPrimary-1)]
		if e&(entryException|entrySubtable) == entryException|entrySubtable {
			r.take(distPrimary)
			e = d.dist[e>>entryValue+uint32(r.bits)&(1<<(e>>entryCodeBits&15)-1)]
		}
		if e&entryException != 0 {
			r.take(uint(e & 63))
			return n, false, r.fail()
		}
		code = uint(e >> entryCodeBits & 15)
		extra = uint(e&63) - code
		r.take(code)
		dist := int(e>>entryValue) + int(r.take(extra))
		if r.overrun() {
			return n, false, ErrTruncated
		}
		if dist > n {
			return n, false, ErrCorrupt
		}
		fits := min(length, len(dst)-n)
		for range fits {
			dst[n] = dst[n-dist]
			n++
		}
		if fits < length {
			return n, false, ErrLong
		}
	}
}
