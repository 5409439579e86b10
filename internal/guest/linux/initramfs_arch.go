package linux

import (
	"context"
	"regexp"
	"strings"

	"hyper2kvm/internal/guest"
)

// mkinitcpioModules is the array of modules in /etc/mkinitcpio.conf, as a shell reads it; older systems have a string.
var mkinitcpioModules = regexp.MustCompile(`(?m)^([ \t]*MODULES\+?=)(\(([^()]*)\)|"([^"\n]*)")`)

func configureMkinitcpio(ctx context.Context, tree guest.FS, modules []string, p *guest.Proposal) error {
	return editConfig(ctx, tree, p, "/etc/mkinitcpio.conf", laterKernels(modules), false, func(content string) string {
		all := mkinitcpioModules.FindAllStringSubmatchIndex(content, -1)
		if len(all) == 0 {
			if len(modules) == 0 {
				return content
			}
			return configLines(content, "MODULES=("+strings.Join(modules, " ")+")")
		}
		var have []string
		for _, m := range all {
			have = append(have, strings.Fields(strings.Trim(content[m[4]:m[5]], `()"`))...)
		}
		missing := missingWords(modules, have)
		if len(missing) == 0 {
			return content
		}
		m := all[len(all)-1]
		body := m[5] - 1 // before what closes the value
		space := " "
		if inside := content[m[4]+1 : body]; inside == "" || strings.HasSuffix(inside, " ") || strings.HasSuffix(inside, "\n") {
			space = ""
		}
		return content[:body] + space + strings.Join(missing, " ") + content[body:]
	})
}

// mkinitcpioCall leaves the hook autodetect out: it keeps only the modules of the machine that it runs on, and that is the appliance.
func mkinitcpioCall(_ context.Context, _ guest.FS, t *imageTool, r rebuild, _ *guest.Proposal) (toolCall, error) {
	args := []string{t.found, "-k", r.look.kernel.Version, "-g", r.makesName(), "-S", "autodetect"}
	return toolCall{args: args, need: r.genericRoom()}, nil
}

// boosterConfig is where booster(1) reads which modules an image has beside those of the machine.
const boosterConfig = "/etc/booster.yaml"

var boosterModules = regexp.MustCompile(`(?m)^modules:[ \t]*([^#\n]*?)[ \t]*(#.*)?$`)

func configureBooster(ctx context.Context, tree guest.FS, modules []string, p *guest.Proposal) error {
	return editConfig(ctx, tree, p, boosterConfig, laterKernels(modules), true, func(content string) string {
		m := boosterModules.FindStringSubmatchIndex(content)
		if m == nil {
			if len(modules) == 0 {
				return content
			}
			return configLines(content, "modules: "+strings.Join(modules, ","))
		}
		missing := missingWords(modules, strings.Split(strings.ReplaceAll(content[m[2]:m[3]], " ", ""), ","))
		if len(missing) == 0 {
			return content
		}
		comma := ","
		if m[2] == m[3] {
			comma = " "
		}
		return content[:m[3]] + comma + strings.Join(missing, ",") + content[m[3]:]
	})
}

func boosterCall(_ context.Context, _ guest.FS, t *imageTool, r rebuild, _ *guest.Proposal) (toolCall, error) {
	args := []string{t.found, "build", "--force", "--universal", "--kernel-version", r.look.kernel.Version, r.makesName()}
	return toolCall{args: args, need: r.genericRoom()}, nil
}

// configureMkinitfs adds the feature of virtio (mkinitfs(1)): features are lists of modules, and Alpine's virtio has them all.
func configureMkinitfs(ctx context.Context, tree guest.FS, _ []string, p *guest.Proposal) error {
	return editConfig(ctx, tree, p, "/etc/mkinitfs/mkinitfs.conf", "images need the feature virtio, those of later kernels too", true, func(content string) string {
		vars := parseShellVars([]byte(content))
		features, _ := vars.Get("features")
		if len(missingWords([]string{"virtio"}, strings.Fields(features))) == 0 {
			return content
		}
		if strings.TrimSpace(features) == "" {
			features = "ata base cdrom ext4 keymap kms mmc nvme raid scsi usb" // what mkinitfs takes without a file
		}
		vars.Set("features", strings.TrimSpace(features)+" virtio")
		return string(vars.Bytes())
	})
}

func mkinitfsCall(_ context.Context, _ guest.FS, t *imageTool, r rebuild, _ *guest.Proposal) (toolCall, error) {
	return toolCall{args: []string{t.found, "-o", r.makesName(), r.look.kernel.Version}, need: r.sameRoom()}, nil
}
