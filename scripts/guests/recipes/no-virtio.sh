# shellcheck shell=bash
# BIOS and MBR, ext4, everything by UUID, and an initramfs with VMware's and IDE's drivers only: it never sees a virtio disk.

# shellcheck disable=SC2034 # read by build
packages=grub-pc,ifupdown
root_uuid=6f1d1a52-4d1b-4e0b-9a4c-0d7b5a3c1e41 swap_uuid=6f1d1a52-4d1b-4e0b-9a4c-0d7b5a3c1e42

settings() {
	local tree=$1 name=$2
	system "$tree" "$name"
	cat >"$tree/etc/fstab" <<-TEXT
		# <file system> <mount point>   <type>  <options>       <dump>  <pass>
		UUID=$root_uuid /               ext4    errors=remount-ro 0       1
		UUID=$swap_uuid none            swap    sw              0       0
	TEXT
	echo 'RESUME=none' >"$tree/etc/initramfs-tools/conf.d/resume"
	static_interfaces "$tree" 192.0.2.40
	grub_setting "$tree" GRUB_CMDLINE_LINUX_DEFAULT '"quiet console=tty0 console=ttyS0"'
	grub_setting "$tree" GRUB_TERMINAL console
	echo "grub-pc grub-pc/install_devices multiselect $(vmware_disk_id)" | chroot "$tree" debconf-set-selections
	sed -i 's/^MODULES=.*/MODULES=list/' "$tree/etc/initramfs-tools/initramfs.conf"
	printf '%s\n' sd_mod vmw_pvscsi ata_piix ext4 >>"$tree/etc/initramfs-tools/modules"
	initramfs "$tree"
	if chroot "$tree" lsinitramfs /boot/initrd.img-"$(kernel "$tree")" | grep virtio; then
		echo 'its initramfs has virtio drivers' >&2
		return 1
	fi
	grub_files "$tree" 'part_msdos ext2' '(,msdos1)/boot/grub'
	grub_config "$tree" "UUID=$root_uuid" "$root_uuid"
}

disks() { step 'partitions, ext4, swap, grub' -- mbr_ext4 "$1" "$2/disk1.raw" "$root_uuid" "$swap_uuid"; }
