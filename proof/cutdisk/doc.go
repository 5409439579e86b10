// Package cutdisk provides block devices for tests whose power can be cut at any write: an Image is the content of a disk, a
// Journal records what a kernel wrote and flushed, State rebuilds what may be on the disks after a cut, and a Slot is a loop device
// that shows an Image to the kernel through a FUSE file. It needs root, FUSE and loop devices, and no kernel module of its own.
package cutdisk
