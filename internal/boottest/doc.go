// Package boottest starts a VM on throw-away disks and says whether its guest comes up.
//
// A VM that runs proves nothing: one that stands at a rescue prompt runs too. So a test passes only on evidence that nothing but a
// guest that is up can give: a random token, which the caller puts into the guest's overlay together with a script that prints it
// on the serial console once the system is up (see MarkerFiles). It fails as soon as the console shows that this will not happen
// any more: a panic, an emergency shell, a prompt of the boot loader, a firmware without anything to boot; when the guest restarts or
// powers off; and when the time is over.
//
// The VM has a firmware, disks and NICs like the one to come, and no network. The firmware's own text and that of a BIOS boot loader
// come out of the serial console too (SeaBIOS copies it there on a machine with graphics=off; OVMF always does), so that an early end
// is seen and not waited for. The serial log and a picture of the screen stay behind.
//
// The guest is hostile input to qemu, which runs in its sandbox where it has one, and its console is hostile input to this package.
package boottest
