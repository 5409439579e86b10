package answers

import (
	"slices"
	"strconv"

	"hyper2kvm/internal/manifest"
)

// Defaults are what holds for fields without an answer, by their paths: what a daemon's configuration says. A field that is not
// here has the product's default.
type Defaults map[string]string

// DefaultsOf are the defaults of a daemon that writes to a directory; "" = it is not known.
func DefaultsOf(d manifest.Defaults, outputDir string) Defaults {
	level, networks := "", map[string]any{}
	if d.Level != 0 {
		level = strconv.Itoa(d.Level)
	}
	for from, to := range d.Networks {
		networks[from] = to
	}
	out := Defaults{
		"output_format": d.Format, "output_dir": outputDir, "compress": onOff(d.Compress), "compression": d.Compression, "compress_level": level,
		"flatten": onOff(d.Flatten), "inspect": onOff(d.Inspect), "fix": onOff(d.Fix), "fstab_mode": d.FstabMode, "regen_initramfs": onOff(d.Initramfs),
		"fix_grub": onOff(d.Grub), "fix_network": onOff(d.Network), "network_fix_level": d.NetworkLevel, "remove_vmware_tools": onOff(d.RemoveTools),
		"serial_console": onOff(d.Serial), "compact": onOff(d.Compact), "validate": onOff(d.Validate), "boot_test": onOff(d.BootTest),
	}
	if len(networks) > 0 {
		out["network_map"] = labelText(networks)
	}
	return out
}

// onOff is an answer to a Switch.
func onOff(on bool) string { return strconv.FormatBool(on) }

// FieldsWith are all fields, with the defaults of a daemon.
func FieldsWith(d Defaults) []Field {
	out := slices.Clone(table())
	for i, f := range out {
		if v, ok := d[f.Path]; ok && v != f.Default {
			out[i].Default, out[i].Own = v, true
		}
	}
	return out
}
