package guest

import "errors"

// The kinds of errors of a look into a guest; tested with errors.Is.
var (
	ErrUnavailable = errors.New("libguestfs is not available")            // guestfish or what it needs is missing
	ErrAppliance   = errors.New("the libguestfs appliance failed")        // it did not start, or it died
	ErrNoSystem    = errors.New("no operating system was found")          //
	ErrEncrypted   = errors.New("the guest is encrypted")                 // and no key opens it
	ErrUnclean     = errors.New("a file system cannot be written safely") // hibernated, dirty, damaged
	ErrSpace       = errors.New("too little space in the guest")          //
	ErrCommand     = errors.New("a command in the guest failed")          //
	ErrProof       = errors.New("a repair did not do what it was for")    //
	ErrLimit       = errors.New("limit exceeded")                         //
)
