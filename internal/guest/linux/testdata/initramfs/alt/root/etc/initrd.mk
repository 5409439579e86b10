AUTODETECT = all
MODULES_ADD += virtio_blk