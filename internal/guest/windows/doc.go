// Package windows says what a Windows guest is and whether it starts on virtio.
//
// It reads the registry's hives and changes nothing: there is no list of repairs. A Windows guest runs on SATA and e1000e, which it has
// drivers for, and Advice says how to move it to virtio. Putting drivers into it is work of its own: service, device ids, driver store
// and certificate must agree, or the guest stops with INACCESSIBLE_BOOT_DEVICE.
package windows
