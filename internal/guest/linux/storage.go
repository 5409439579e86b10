package linux

import "hyper2kvm/internal/guest"

// storageFixers returns the repairs of files that name disks. With the mode noop only what is a stale memory of the old disks is taken
// away, and that only where the guest is made to boot at all.
func storageFixers(o Options) []guest.Fixer {
	var fixers []guest.Fixer
	if o.FstabMode == FstabStabilizeAll || o.FstabMode == FstabBypathOnly {
		fixers = append(fixers,
			crypttabFixer{mode: o.FstabMode},
			unitsFixer{mode: o.FstabMode},
			resumeFixer{mode: o.FstabMode},
			dracutFixer{mode: o.FstabMode},
			foldersFixer{},
			fstabFixer{mode: o.FstabMode}, // last: the others see in it in which order the guest counted its disks
		)
	}
	if len(fixers) > 0 || o.BootLoader {
		fixers = append(fixers, staleFixer{})
	}
	return fixers
}
