package disk

import (
	"crypto/sha256"
	"testing"
)

func TestZeroBlockSum(t *testing.T) {
	if got := sha256.Sum256(make([]byte, DigestBlock)); got != zeroBlockSum {
		t.Fatalf("sum of a zero block is %x, the constant says %x", got, zeroBlockSum)
	}
}
