package manifest

import (
	"fmt"
	"strings"

	sy "hyper2kvm/internal/strictyaml"
)

// OtherNetworks is the key of a network map that stands for every network that has no key of its own.
const OtherNetworks = "*"

// CheckNetwork looks whether a target of a network map is network:NAME or bridge:NAME.
func CheckNetwork(target string) error {
	kind, name, found := strings.Cut(target, ":")
	switch {
	case !found || (kind != "network" && kind != "bridge"):
		return fmt.Errorf("want network:NAME or bridge:NAME, got %s", sy.Quote(target))
	case name == "" || len(name) > MaxName || sy.Printable(name) != name || strings.ContainsAny(name, "/\\ \t"):
		return fmt.Errorf("%s is not the name of a %s", sy.Quote(name), kind)
	case kind == "bridge" && len(name) > maxBridge:
		return fmt.Errorf("a bridge's name has at most %d characters, got %s", maxBridge, sy.Quote(name))
	}
	return nil
}

// maxBridge is IFNAMSIZ of Linux without the terminating zero.
const maxBridge = 15
