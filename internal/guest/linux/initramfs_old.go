package linux

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"hyper2kvm/internal/guest"
)

// Files of the mkinitrd of SUSE up to 11, and of Red Hat up to 5: one program name, two programs.
const (
	suseKernelConfig  = "/etc/sysconfig/kernel"
	suseModulesKey    = "INITRD_MODULES"
	hostAdapterConfig = "/etc/modprobe.conf"
	hostAdapterAlias  = "scsi_hostadapter"
)

// suseMkinitrd reports whether the guest's mkinitrd is that of SUSE, and returns the modules that it keeps in /etc/sysconfig/kernel.
func suseMkinitrd(ctx context.Context, tree guest.FS) (modules []string, ok bool, err error) {
	b, _, err := lookFile(ctx, tree, suseKernelConfig)
	value, ok := parseShellVars(b).Get(suseModulesKey)
	return strings.Fields(value), ok, err
}

func configureMkinitrd(ctx context.Context, tree guest.FS, modules []string, p *guest.Proposal) error {
	_, suse, err := suseMkinitrd(ctx, tree)
	if err != nil {
		return err
	}
	if suse {
		return editConfig(ctx, tree, p, suseKernelConfig, laterKernels(modules), false, func(content string) string {
			vars := parseShellVars([]byte(content))
			have, _ := vars.Get(suseModulesKey)
			if missing := missingWords(modules, strings.Fields(have)); len(missing) > 0 {
				vars.Set(suseModulesKey, strings.TrimSpace(have+" "+strings.Join(missing, " ")))
			}
			return string(vars.Bytes())
		})
	}
	return editConfig(ctx, tree, p, hostAdapterConfig, laterKernels([]string{"virtio_blk"}), true, addHostAdapter)
}

// addHostAdapter makes virtio_blk one of the drivers that Red Hat's mkinitrd puts into every image: the aliases scsi_hostadapter,
// scsi_hostadapter1 and so on.
func addHostAdapter(content string) string {
	taken := map[string]bool{}
	for line := range strings.Lines(content) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "alias" && strings.HasPrefix(f[1], hostAdapterAlias) {
			if f[2] == "virtio_blk" {
				return content
			}
			taken[f[1]] = true
		}
	}
	name := hostAdapterAlias
	for i := 1; taken[name]; i++ {
		name = hostAdapterAlias + strconv.Itoa(i)
	}
	return configLines(content, fmt.Sprintf("alias %s virtio_blk", name))
}

// mkinitrdCall gives the modules by name: neither program can look for the disks of the machine that is to be. SUSE's takes those that
// it is given for all, and then leaves out what INITRD_MODULES names (mkinitrd(8), -m): dm-multipath, a driver that / stands on.
func mkinitrdCall(ctx context.Context, tree guest.FS, t *imageTool, r rebuild, _ *guest.Proposal) (toolCall, error) {
	configured, suse, err := suseMkinitrd(ctx, tree)
	if err != nil {
		return toolCall{}, err
	}
	script, err := readScript(ctx, tree, t.found)
	if err != nil {
		return toolCall{}, err
	}
	call := toolCall{need: r.sameRoom()}
	if suse {
		all := append(configured, missingWords(r.modules, configured)...)
		call.args = []string{t.found, "-k", r.look.kernel.Image, "-i", r.makesName(), "-m", strings.Join(all, " ")}
		if bytes.Contains(script, []byte("no_bootloader_update")) { // those before 11 have no -B, and leave the boot loader alone
			// Else update-bootloader writes the boot loader anew, for the disks of the appliance.
			call.args = append(call.args, "-B")
		}
		return call, nil
	}
	call.args = []string{t.found, "-f"}
	if bytes.Contains(script, []byte("--allow-missing")) {
		// Red Hat's adds the drivers of the appliance's disks, and gives up over virtio_scsi, which its kernels do not have.
		call.args = append(call.args, "--allow-missing")
	}
	for _, m := range r.modules {
		call.args = append(call.args, "--with="+m)
	}
	call.args = append(call.args, r.makesName(), r.look.kernel.Version)
	return call, nil
}

// configureMakeInitrd adds to what make-initrd of ALT puts into every image.
func configureMakeInitrd(ctx context.Context, tree guest.FS, modules []string, p *guest.Proposal) error {
	return editConfig(ctx, tree, p, "/etc/initrd.mk", laterKernels(modules), true, func(content string) string {
		var have []string
		for line := range strings.Lines(content) {
			if key, value, ok := strings.Cut(line, "="); ok && strings.TrimRight(key, " \t+:?") == "MODULES_ADD" {
				have = append(have, strings.Fields(value)...)
			}
		}
		if missing := missingWords(modules, have); len(missing) > 0 {
			return configLines(content, "MODULES_ADD += "+strings.Join(missing, " "))
		}
		return content
	})
}

// makeInitrdCall names a directory: make-initrd takes no name for the image (mkinitrd(1), --bootdir). It is not to look whether the
// directory is the one that boots (--no-checks).
func makeInitrdCall(_ context.Context, _ guest.FS, t *imageTool, r rebuild, _ *guest.Proposal) (toolCall, error) {
	version := r.look.kernel.Version
	return toolCall{
		args: []string{t.found, "-N", "-k", version, "-b", buildDir}, makes: buildDir + "/initrd-" + version + ".img", need: r.sameRoom(),
	}, nil
}
