# shellcheck shell=bash
# BIOS and GPT with a BIOS-boot partition, btrfs with subvolumes @ and @home, and two read-only snapshots that look like systems.

# shellcheck disable=SC2034 # read by build
packages=grub-pc,ifupdown,btrfs-progs
root_uuid=6f1d1a52-4d1b-4e0b-9a4c-0d7b5a3c1e31

settings() {
	local tree=$1 name=$2
	system "$tree" "$name"
	cat >"$tree/etc/fstab" <<-TEXT
		# <file system> <mount point>   <type>  <options>       <dump>  <pass>
		UUID=$root_uuid /               btrfs   defaults,subvol=@ 0       0
		UUID=$root_uuid /home           btrfs   defaults,subvol=@home 0       0
	TEXT
	echo 'RESUME=none' >"$tree/etc/initramfs-tools/conf.d/resume"
	mkdir -p "$tree/.snapshots" "$tree/home/guest"
	echo 'kept in @home' >"$tree/home/guest/note"
	printf 'allow-hotplug ens192\niface ens192 inet dhcp\n' >"$tree/etc/network/interfaces.d/ens192"
	grub_setting "$tree" GRUB_TERMINAL console
	echo "grub-pc grub-pc/install_devices multiselect $(vmware_disk_id)" | chroot "$tree" debconf-set-selections
	initramfs "$tree"
	grub_files "$tree" 'part_gpt btrfs' '(,gpt2)/@/boot/grub'
}

disks() {
	local tree=$1 image=$2/disk1.raw
	step 'partitions' -- partitions "$image"
	step 'packing the tree' -- pack "$tree" home
	step 'appliance: btrfs, subvolumes, snapshots, grub.cfg' -- file_systems "$tree" "$image"
	step 'grub' -- grub_boot_sectors "$tree" "$image" 2048
}

partitions() {
	truncate -s "${disk_size:?}" "$1"
	sfdisk -q "$1" <<-TEXT
		label: gpt
		start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649
		start=4096, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
	TEXT
}

file_systems() {
	local tree=$1 image=$2
	appliance "$image" <<-TEXT
		run
		mkfs btrfs /dev/sda2
		set-uuid /dev/sda2 $root_uuid
		mount /dev/sda2 /
		btrfs-subvolume-create /@
		btrfs-subvolume-create /@home
		tar-in $tree.tar /@ xattrs:true
		umount /
		mount-options subvol=@ /dev/sda2 /
		mount-options subvol=@home /dev/sda2 /home
		tar-in $tree.home.tar /home
		command "update-grub"
		umount /home
		umount /
		mount /dev/sda2 /
		mkdir-p /@/.snapshots/1
		mkdir-p /@/.snapshots/2
		btrfs-subvolume-snapshot /@ /@/.snapshots/1/snapshot ro:true
		btrfs-subvolume-snapshot /@ /@/.snapshots/2/snapshot ro:true
		umount /
	TEXT
}
