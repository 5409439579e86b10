package deflate

// The alphabets of RFC 1951 section 3.2.5.
const (
	minMatch    = 3
	maxMatch    = 258
	maxWindow   = 32768
	endOfBlock  = 256
	numLitLen   = 286 // symbols that may be used; 286 and 287 have codes in fixed blocks only
	numDist     = 30
	numPre      = 19 // symbols of the code that the code lengths are written in (section 3.2.7)
	maxCodeBits = 15
	maxPreBits  = 7
	maxStored   = 65535
)

// Kinds of blocks (section 3.2.3).
const (
	blockStored = iota
	blockFixed
	blockDynamic
)

var (
	lengthBase = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthBits = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase   = [32]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073,
		4097, 6145, 8193, 12289, 16385, 24577}
	distBits = [numDist]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}

	// preOrder is the order in which the lengths of the code length code are written (section 3.2.7).
	preOrder = [numPre]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
)

// lengthSymbols maps a match length less 3 to its symbol less 257. The length 258 has a symbol of its own.
var lengthSymbols = func() (t [maxMatch - minMatch + 1]uint8) {
	for s, base := range lengthBase {
		for i := range 1 << lengthBits[s] {
			t[min(int(base)+i, maxMatch)-minMatch] = uint8(s)
		}
	}
	return t
}()

// distSymbols maps distance-1 to its symbol: the first half for what is below 256, the second by the bits above the seventh.
var distSymbols = func() (t [512]uint8) {
	for s, base := range distBase[:numDist] {
		for d := int(base) - 1; d < int(base)-1+1<<distBits[s]; d++ {
			if d < 256 {
				t[d] = uint8(s)
			} else {
				t[256+d>>7] = uint8(s)
			}
		}
	}
	return t
}()

// distSymbol returns the symbol of a distance of 1 to 32768. Which half of the table is the one cannot be foreseen: no branch.
func distSymbol(d uint32) uint8 {
	d--
	far := uint32(int32(255-d) >> 31)
	return distSymbols[(d&^far|(256+d>>7)&far)&511]
}

// fixedLitLen and fixedDistLen are the code lengths of fixed blocks (section 3.2.6).
var fixedLitLen, fixedDistLen = fixedLengths()

func fixedLengths() (lit [288]uint8, dist [32]uint8) {
	for i := range lit {
		switch {
		case i < 144:
			lit[i] = 8
		case i < 256:
			lit[i] = 9
		case i < 280:
			lit[i] = 7
		default:
			lit[i] = 8
		}
	}
	for i := range dist {
		dist[i] = 5
	}
	return lit, dist
}
