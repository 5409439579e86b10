package linux

import "hyper2kvm/internal/guest"

func storageFixers(Options) []guest.Fixer { return nil }
