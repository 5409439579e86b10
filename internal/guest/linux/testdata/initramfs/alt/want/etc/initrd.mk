AUTODETECT = all
MODULES_ADD += virtio_blk
MODULES_ADD += virtio virtio_ring virtio_pci virtio_scsi virtio_net
