package boottest

// sign is a text on the console that decides.
type sign struct {
	text  string
	start bool   // only at the start of a line: a prompt
	why   string // what it means
	up    bool   // it means success
}

// signs returns what shows on a console when a guest is not going to come up. A text that is only followed by another try (a firmware
// that goes on to the next disk, a warning of dracut's) is not among them.
func signs() []sign {
	const (
		kernel    = "the kernel panicked"
		emergency = "the guest stopped in emergency mode: something that it mounts or starts is not there"
		rescue    = "the guest stopped in rescue mode"
		initramfs = "the guest stopped in the shell of its initramfs: the root file system was not found"
		grub      = "GRUB stopped at its prompt: it did not find its configuration or its files"
		nothing   = "the firmware found nothing to boot"
		record    = "the boot record found no system"
	)
	return []sign{
		{text: "Kernel panic - not syncing", why: kernel},

		{text: "You are in emergency mode", why: emergency}, // systemd
		{text: "Welcome to emergency mode", why: emergency},
		{text: "Reached target Emergency Mode", why: emergency},
		{text: "Reached target emergency.target", why: emergency},
		{text: "You are in rescue mode", why: rescue},
		{text: "Welcome to rescue mode", why: rescue},
		{text: "Give root password for maintenance", why: emergency}, // sulogin
		{text: "Cannot open access to console, the root account is locked", why: emergency},

		{text: "Entering emergency mode. Exit the shell to continue", why: initramfs}, // dracut
		{text: "Dropping to debug shell", why: initramfs},
		{text: "dracut:/#", start: true, why: initramfs},
		{text: "(initramfs)", start: true, why: initramfs}, // initramfs-tools
		{text: "Dropping to a shell!", why: initramfs},
		{text: "You are now being dropped into an emergency shell", why: initramfs}, // mkinitcpio
		{text: "initramfs emergency recovery shell launched", why: initramfs},       // Alpine
		{text: "-- exiting to /bin/sh", why: initramfs},                             // mkinitrd of SUSE

		{text: "grub rescue>", start: true, why: grub},
		{text: "Entering rescue mode...", start: true, why: grub},
		{text: "grub>", start: true, why: grub},
		{text: "No DEFAULT or UI configuration directive found!", why: "the boot loader (syslinux) did not find its configuration"},
		{text: "GRUB Hard Disk Error", why: record},
		{text: "GRUB Geom Error", why: record},
		{text: "GRUB Read Error", why: record},
		{text: "Missing operating system", why: record},
		{text: "Operating system not found", why: record},
		{text: "FATAL: INT18: BOOT FAILURE", why: record},

		{text: "No bootable device", why: nothing},                              // SeaBIOS
		{text: "No bootable option or device was found", why: nothing},          // OVMF
		{text: ">>Start PXE over IPv", why: nothing + " and tries the network"}, // OVMF
		{text: ">>Start HTTP Boot over IPv", why: nothing + " and tries the network"},
		{text: "UEFI Interactive Shell", why: nothing + " but its own shell"},
		{text: "Shell>", start: true, why: nothing + " but its own shell"},
	}
}

// relabels is what SELinux prints before it labels every file and restarts the guest.
const relabels = "policy relabel is required"
