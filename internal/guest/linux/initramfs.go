package linux

import "hyper2kvm/internal/guest"

func initramfsFixers(Options) []guest.Fixer { return nil }
