package linux

import "hyper2kvm/internal/guest"

func networkFixers(Options) []guest.Fixer { return nil }
