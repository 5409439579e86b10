package linux

import "hyper2kvm/internal/guest"

func bootFixers(Options) []guest.Fixer { return nil }
