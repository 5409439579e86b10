# shellcheck shell=bash
# UEFI and GPT, the loader in EFI/debian only, and an xfs root on a logical volume that spans two disks.

# shellcheck disable=SC2034 # read by build
packages=grub-efi-amd64,lvm2,xfsprogs
esp_partuuid=6f1d1a52-4d1b-4e0b-9a4c-0d7b5a3c1e21 boot_uuid=6f1d1a52-4d1b-4e0b-9a4c-0d7b5a3c1e22

settings() {
	local tree=$1 name=$2
	system "$tree" "$name"
	cat >"$tree/etc/fstab" <<-TEXT
		# <file system> <mount point>   <type>  <options>       <dump>  <pass>
		/dev/mapper/guest--vg-root /    xfs     defaults        0       0
		UUID=$boot_uuid /boot           ext2    defaults        0       2
		PARTUUID=$esp_partuuid /boot/efi       vfat    umask=0077      0       1
		/dev/mapper/guest--vg-swap none swap    sw              0       0
	TEXT
	echo 'RESUME=/dev/mapper/guest--vg-swap' >"$tree/etc/initramfs-tools/conf.d/resume"
	mkdir -p "$tree/boot/efi"
	cat >"$tree/etc/systemd/network/10-ens192.network" <<-TEXT
		[Match]
		Name=ens192

		[Network]
		Address=192.0.2.20/24
		Gateway=192.0.2.1
		DNS=192.0.2.1
	TEXT
	chroot "$tree" systemctl enable systemd-networkd.service
	chroot "$tree" systemctl disable systemd-networkd-wait-online.service
	grub_setting "$tree" GRUB_CMDLINE_LINUX_DEFAULT '"quiet console=tty0 console=ttyS0"'
	grub_setting "$tree" GRUB_TERMINAL console
	initramfs "$tree"
}

disks() {
	local tree=$1 out=$2
	step 'partitions' -- partitions "$out/disk1.raw" "$out/disk2.raw"
	step 'packing the tree' -- pack "$tree"
	step 'appliance: LVM, xfs, grub' -- file_systems "$tree" "$out/disk1.raw" "$out/disk2.raw"
}

partitions() {
	truncate -s "${disk_size:?}" "$1" "$2"
	sfdisk -q "$1" <<-TEXT
		label: gpt
		start=2048, size=131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=$esp_partuuid
		start=133120, size=524288, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4
		start=657408, type=E6D6D379-F507-44C2-A23C-238F2A3DF928
	TEXT
	sfdisk -q "$2" <<-TEXT
		label: gpt
		start=2048, type=E6D6D379-F507-44C2-A23C-238F2A3DF928
	TEXT
}

file_systems() {
	local tree=$1
	appliance "$2" "$3" <<-TEXT
		run
		pvcreate /dev/sda3
		pvcreate /dev/sdb1
		vgcreate guest-vg "/dev/sda3 /dev/sdb1"
		lvcreate root guest-vg 3072
		lvcreate swap guest-vg 256
		mkswap /dev/guest-vg/swap
		mkfs xfs /dev/guest-vg/root
		mkfs ext2 /dev/sda2
		mkfs vfat /dev/sda1
		set-uuid /dev/sda2 $boot_uuid
		mount /dev/guest-vg/root /
		mkdir /boot
		mount /dev/sda2 /boot
		mkdir /boot/efi
		mount /dev/sda1 /boot/efi
		tar-in $tree.tar / xattrs:true
		command "grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian --no-nvram --no-uefi-secure-boot"
		command "update-grub"
		umount-all
	TEXT
}
