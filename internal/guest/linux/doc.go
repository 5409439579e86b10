// Package linux repairs Linux guests so that they start on KVM, by what is in the guest and not by a list of distribution names.
//
// Inspect reads what is installed, Fixers is the ordered list of repairs, Virtio says whether every kernel finds its disks and its
// network on virtio. All of it works on a guest.FS; nothing here starts an appliance.
package linux
