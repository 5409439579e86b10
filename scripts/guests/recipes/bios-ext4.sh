# shellcheck shell=bash
# BIOS and MBR, ext4, and the disk by its name on VMware wherever a name can stand: it waits for ever for /dev/sda1 on virtio.

# shellcheck disable=SC2034 # read by build
packages=grub-pc,ifupdown
root_uuid=6f1d1a52-4d1b-4e0b-9a4c-0d7b5a3c1e01 swap_uuid=6f1d1a52-4d1b-4e0b-9a4c-0d7b5a3c1e02

settings() {
	local tree=$1 name=$2
	system "$tree" "$name"
	cat >"$tree/etc/fstab" <<-TEXT
		# <file system> <mount point>   <type>  <options>       <dump>  <pass>
		/dev/sda1       /               ext4    errors=remount-ro 0       1
		/dev/sda2       none            swap    sw              0       0
	TEXT
	static_interfaces "$tree" 192.0.2.10
	grub_setting "$tree" GRUB_CMDLINE_LINUX_DEFAULT '"quiet console=tty0 console=ttyS0"'
	grub_setting "$tree" GRUB_DISABLE_LINUX_UUID true
	grub_setting "$tree" GRUB_TERMINAL console
	echo "grub-pc grub-pc/install_devices multiselect $(vmware_disk_id)" | chroot "$tree" debconf-set-selections
	initramfs "$tree"
	grub_files "$tree" 'part_msdos ext2' '(,msdos1)/boot/grub'
	printf '(hd0)\t%s\n' "$(vmware_disk_id)" >"$tree/boot/grub/device.map"
	grub_config "$tree" /dev/sda1 "$root_uuid"
}

disks() { step 'partitions, ext4, swap, grub' -- mbr_ext4 "$1" "$2/disk1.raw" "$root_uuid" "$swap_uuid"; }
