package linux

import "hyper2kvm/internal/guest"

func toolFixers(Options) []guest.Fixer { return nil }
