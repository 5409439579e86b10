package ovf

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"hyper2kvm/internal/machine"
)

// MaxCapacity is the largest capacity of a disk that is believed, in bytes: 64 TiB, more than VMware or Hyper-V can make.
const MaxCapacity = 64 << 40

// maxExponent bounds base^exponent in a unit: 2^63 already is beyond every disk.
const maxExponent = 63

// unitNames are the units outside the expressions of DSP0004. In OVF files MegaBytes has always meant 2^20.
var unitNames = map[string]int64{
	"byte": 1, "bytes": 1, "b": 1,
	"kb": 1 << 10, "kilobyte": 1 << 10, "kilobytes": 1 << 10, "kib": 1 << 10,
	"mb": 1 << 20, "megabyte": 1 << 20, "megabytes": 1 << 20, "mib": 1 << 20,
	"gb": 1 << 30, "gigabyte": 1 << 30, "gigabytes": 1 << 30, "gib": 1 << 30,
	"tb": 1 << 40, "terabyte": 1 << 40, "terabytes": 1 << 40, "tib": 1 << 40,
}

// decimal matches the quantities that are calculated with.
var decimal = regexp.MustCompile(`^[+-]?[0-9]{1,40}(\.[0-9]{1,20})?$`)

// parseUnit returns the bytes of a unit such as "byte * 2^30", "byte*1024*1024" or "MegaBytes"; absent stands for "".
func parseUnit(s string, absent int64) (*big.Int, error) {
	fail := func(why string) (*big.Int, error) {
		return nil, fmt.Errorf("%w: allocation units %s: %s", machine.ErrDescriptor, machine.Quote(s), why)
	}
	if strings.TrimSpace(s) == "" {
		return big.NewInt(absent), nil
	}
	factors := strings.Split(strings.ToLower(s), "*")
	const most = 16 // factors; the expressions in the field have two or three
	if len(factors) > most {
		return fail(fmt.Sprintf("more than %d factors", most))
	}
	name := strings.TrimSpace(factors[0])
	unit, ok := unitNames[name]
	if !ok {
		return fail("unknown unit; needed is bytes or a multiple of them, as in \"byte * 2^30\"")
	}
	product := big.NewInt(unit)
	for _, f := range factors[1:] {
		base, exponent, power := strings.Cut(strings.TrimSpace(f), "^")
		b, err := strconv.ParseUint(strings.TrimSpace(base), 10, 32)
		if err != nil {
			return fail("a factor is not a number")
		}
		e := uint64(1)
		if power {
			if e, err = strconv.ParseUint(strings.TrimSpace(exponent), 10, 8); err != nil || e > maxExponent {
				return fail(fmt.Sprintf("an exponent is not a number from 0 to %d", maxExponent))
			}
		}
		product.Mul(product, new(big.Int).Exp(new(big.Int).SetUint64(b), new(big.Int).SetUint64(e), nil))
	}
	return product, nil
}

// parseQuantity multiplies a decimal quantity with its unit, in bytes; fractions are rounded down to a byte. The result is
// from 0 to limit.
func parseQuantity(what, quantity, unit string, absentUnit, limit int64) (int64, error) {
	u, err := parseUnit(unit, absentUnit)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	// big.Rat would take exponents too, and 1e999999999 would keep it busy for hours.
	n := new(big.Rat)
	ok := decimal.MatchString(quantity)
	if ok {
		n, ok = n.SetString(quantity)
	}
	if !ok {
		return 0, fmt.Errorf("%s: %w: %s is not a number", what, machine.ErrDescriptor, machine.Quote(quantity))
	}
	n.Mul(n, new(big.Rat).SetInt(u))
	whole := new(big.Int).Quo(n.Num(), n.Denom())
	switch {
	case n.Sign() < 0:
		return 0, fmt.Errorf("%s: %w: %s is negative", what, machine.ErrDescriptor, machine.Quote(quantity))
	case whole.Cmp(big.NewInt(limit)) > 0:
		return 0, fmt.Errorf("%s: %w: %s %s is more than %d bytes", what, machine.ErrLimit, machine.Quote(quantity), machine.Quote(unit), limit)
	}
	return whole.Int64(), nil
}
