// Package domxml writes a machine as a libvirt domain, with hardware that the guest inside is able to boot from.
//
// What is chosen and why:
//
//   - virtio only where the caller says that it is proved to work, or where the source's own controller is virtio.
//   - Else the controller of the source where QEMU has the same chip, for the guest has its driver: SATA (AHCI), the SAS1068
//     of VMware's LSI Logic SAS (lsisas1068), PVSCSI (vmpvscsi), and IDE on a BIOS machine, which then is of type pc because
//     q35 has no IDE. SeaBIOS boots from all of them. OVMF has drivers for SAS1068 and PVSCSI as build options, and the QEMU
//     and OVMF of the RHEL family leave both out, so these two come with a warning.
//   - Else SATA, which every firmware boots from, with a warning: VMware's and VirtualBox's LSI Logic parallel is a 53C1030,
//     while QEMU's lsilogic is a 53C895A with another driver; QEMU has no BusLogic; libvirt before 11.5 has no NVMe disks.
//   - Windows before Vista has no AHCI driver and gets IDE.
//   - Network cards: e1000, e1000e and PCnet as they were; for all others e1000e. QEMU has a vmxnet3, but the RHEL family
//     leaves it out, while every kernel and every Windows since 7 brings a driver for e1000e.
package domxml
