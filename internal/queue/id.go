package queue

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"
)

// crockford is the alphabet of ids: no I, L, O, U, and in ASCII order, so that ids sort as their times.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// idLen is the length of an id: 48 bits of milliseconds and 80 random bits, five bits a letter (the first has only three).
const idLen = 26

// newID makes a ULID: sortable by time, unique without asking anybody.
func newID(now time.Time) string {
	var b [16]byte
	ms := uint64(max(now.UnixMilli(), 0))
	binary.BigEndian.PutUint64(b[:8], ms<<16)
	rand.Read(b[6:]) // never fails
	hi, lo := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	var out [idLen]byte
	for i := idLen - 1; i >= 0; i-- {
		out[i] = crockford[lo&31]
		lo = lo>>5 | hi<<59
		hi >>= 5
	}
	return string(out[:])
}

// IsID says whether a word has the form of an id of a job.
func IsID(s string) bool { return isID(s) }

// isID says whether a word has the form of an id. Only such words become parts of paths.
func isID(s string) bool {
	if len(s) != idLen || s[0] > '7' {
		return false
	}
	for i := range len(s) {
		if crockfordValue(s[i]) < 0 {
			return false
		}
	}
	return true
}

func crockfordValue(c byte) int {
	for i := range len(crockford) {
		if crockford[i] == c {
			return i
		}
	}
	return -1
}

// idTime is when an id was made.
func idTime(id string) (time.Time, error) {
	if !isID(id) {
		return time.Time{}, fmt.Errorf("%q is not an id", id)
	}
	var ms int64
	for i := range 10 { // 10 letters hold the 48 bits of time
		ms = ms<<5 | int64(crockfordValue(id[i]))
	}
	return time.UnixMilli(ms), nil
}
