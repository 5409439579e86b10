# shellcheck shell=bash
# What all guests have in common: Debian 12 with the small cloud kernel, which drives VMware's PVSCSI and VMXNET3 as well as virtio.

common=systemd-sysv,udev,dbus,linux-image-cloud-amd64,initramfs-tools,busybox,zstd,kmod,iproute2,e2fsprogs,open-vm-tools

# debian FILE PACKAGES: a tar of a minimal system. The initramfs is left for later: it is made once, with the guest's settings.
debian() {
	# shellcheck disable=SC2016 # mmdebstrap's shell has the directory as $1
	INITRD=No mmdebstrap --mode=root --variant=minbase --format=tar --include="$common,$2" \
		--aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		--customize-hook='echo root:guest | chroot "$1" chpasswd' \
		bookworm "$1.part" ${mirror:+"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main"}
	mv "$1.part" "$1"
}

# system TREE NAME: what an installer writes, and nothing at boot that a test would only wait for.
system() {
	local tree=$1 name=$2 unit
	echo "$name" >"$tree/etc/hostname"
	printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$tree/etc/hosts"
	echo 'nameserver 192.0.2.1' >"$tree/etc/resolv.conf"
	printf '%s' "$name" | md5sum | cut -c 1-32 >"$tree/etc/machine-id"
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
		ln -sf /dev/null "$tree/etc/systemd/system/$unit"
	done
	sed -i 's/^COMPRESS=.*/COMPRESS=zstd/; s/^# COMPRESSLEVEL=.*/COMPRESSLEVEL=1/' "$tree/etc/initramfs-tools/initramfs.conf"
	sed -i 's/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=0/' "$tree/etc/default/grub"
}

# grub_setting TREE KEY VALUE: a line of /etc/default/grub, in the place where it stands commented out or at the end.
grub_setting() {
	sed -i "/^#\\?$2=/d" "$1/etc/default/grub"
	printf '%s=%s\n' "$2" "$3" >>"$1/etc/default/grub"
}

# initramfs TREE: the image for the kernel that is there.
initramfs() { chroot "$1" update-initramfs -c -k all; }

# kernel TREE: the version of its kernel.
kernel() { basename "$1"/lib/modules/*; }

# vmware_disk_id: how a guest with disk.EnableUUID sees its first disk on VMware; nothing has this name on KVM.
vmware_disk_id() { echo /dev/disk/by-id/scsi-36000c29b5a7c3d1e9f2468ace0135790; }

# static_interfaces TREE ADDRESS: the NIC by the name that VMware's first slot gives it.
static_interfaces() {
	cat >"$1/etc/network/interfaces" <<-TEXT
		# This file describes the network interfaces available on your system
		# and how to activate them. For more information, see interfaces(5).

		source /etc/network/interfaces.d/*

		# The loopback network interface
		auto lo
		iface lo inet loopback

		# The primary network interface
		auto ens192
		iface ens192 inet static
		    address $2/24
		    gateway 192.0.2.1
		    dns-nameservers 192.0.2.1
	TEXT
}
