package linux

import (
	"context"

	"hyper2kvm/internal/guest"
)

func toolFixers(Options) []guest.Fixer { return nil }

func inspectTools(context.Context, guest.FS, *guest.System) error { return nil }
