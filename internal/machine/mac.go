package machine

import (
	"encoding/hex"
	"strings"
)

// NormalMAC returns a MAC address as 00:50:56:ab:cd:ef in lower case, from six bytes in hexadecimal with colons, dashes or
// nothing between them; "" if s is none, or all zeroes.
func NormalMAC(s string) string {
	b, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(strings.TrimSpace(s)))
	if err != nil || len(b) != 6 || [6]byte(b) == [6]byte{} {
		return ""
	}
	parts := make([]string, 6)
	for i := range b {
		parts[i] = hex.EncodeToString(b[i : i+1])
	}
	return strings.Join(parts, ":")
}
