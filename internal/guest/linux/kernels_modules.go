package linux

import (
	"bytes"
	"context"
	"path"
	"strings"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/initramfs"
)

// virtioDrivers are the drivers that a converted machine's devices need.
var virtioDrivers = []string{"virtio_blk", "virtio_scsi", "virtio_pci", "virtio_net"}

// virtioCore is what every virtio driver stands on, as far as a kernel has it as modules.
var virtioCore = []string{"virtio", "virtio_ring"}

// moduleDirs are where the modules in question are kept, for a kernel without a modules.dep.
var moduleDirs = []string{"drivers/block", "drivers/scsi", "drivers/net", "drivers/virtio"}

// moduleOptions are the options of a kernel's configuration that stand for modules, for kernels that are older than modules.builtin
// (2.6.33) or have no modules at all.
var moduleOptions = map[string]string{
	"virtio": "CONFIG_VIRTIO", "virtio_ring": "CONFIG_VIRTIO", "virtio_blk": "CONFIG_VIRTIO_BLK", "virtio_scsi": "CONFIG_SCSI_VIRTIO",
	"virtio_pci": "CONFIG_VIRTIO_PCI", "virtio_net": "CONFIG_VIRTIO_NET", "sd_mod": "CONFIG_BLK_DEV_SD", "scsi_mod": "CONFIG_SCSI",
}

// kernelModules is what one kernel has built in and as modules of the root file system.
type kernelModules struct {
	dir     string // /lib/modules/VERSION; "" where there is none
	builtin map[string]bool
	files   map[string]string   // path of each module
	deps    map[string][]string // modules that it needs; known for every module if listed
	listed  bool                // there is a modules.dep
}

// readKernelModules reads what is there of the modules of a kernel.
func readKernelModules(ctx context.Context, tree guest.FS, version string) (kernelModules, error) {
	m := kernelModules{builtin: map[string]bool{}, files: map[string]string{}, deps: map[string][]string{}}
	for _, dir := range []string{"/lib/modules", "/usr/lib/modules"} {
		dir = path.Join(dir, version)
		if info, ok, err := lookStat(ctx, tree, dir); err != nil {
			return m, err
		} else if ok && info.Mode.IsDir() {
			m.dir = dir
			break
		}
	}
	counted := false
	if m.dir != "" {
		b, ok, err := lookFile(ctx, tree, m.dir+"/modules.builtin")
		if err != nil {
			return m, err
		}
		counted = ok
		for line := range strings.Lines(string(b)) {
			if name, ok := initramfs.ModuleName(strings.TrimSpace(line)); ok {
				m.builtin[name] = true
			}
		}
		if err := m.readFiles(ctx, tree); err != nil {
			return m, err
		}
	}
	if !counted {
		return m, m.readConfig(ctx, tree, version)
	}
	return m, nil
}

// readFiles reads modules.dep, or looks into the directories where there is none.
func (m *kernelModules) readFiles(ctx context.Context, tree guest.FS) error {
	b, ok, err := lookFile(ctx, tree, m.dir+"/modules.dep")
	if err != nil {
		return err
	}
	if ok && len(bytes.TrimSpace(b)) > 0 {
		m.listed = true
		for line := range strings.Lines(string(b)) {
			file, rest, _ := strings.Cut(line, ":")
			name, ok := initramfs.ModuleName(file)
			if !ok {
				continue
			}
			if !path.IsAbs(file) { // module-init-tools wrote them from the root on
				file = path.Join(m.dir, file)
			}
			m.files[name] = path.Clean(file)
			for dep := range strings.FieldsSeq(rest) {
				if d, ok := initramfs.ModuleName(dep); ok {
					m.deps[name] = append(m.deps[name], d)
				}
			}
		}
		return nil
	}
	for _, dir := range moduleDirs {
		dir = path.Join(m.dir, "kernel", dir)
		names, err := lookDir(ctx, tree, dir)
		if err != nil {
			return err
		}
		for _, n := range names {
			if name, ok := initramfs.ModuleName(n); ok {
				m.files[name] = path.Join(dir, n)
			}
		}
	}
	return nil
}

// readConfig takes what the kernel's configuration says is built in.
func (m *kernelModules) readConfig(ctx context.Context, tree guest.FS, version string) error {
	name, err := lookFirst(ctx, tree, "/boot/config-"+version, path.Join("/lib/modules", version, "config"), path.Join("/usr/lib/modules", version, "config"))
	if err != nil || name == "" {
		return err
	}
	b, _, err := lookFile(ctx, tree, name)
	set := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if option, ok := strings.CutSuffix(strings.TrimSpace(line), "=y"); ok {
			set[option] = true
		}
	}
	for module, option := range moduleOptions {
		if set[option] {
			m.builtin[module] = true
		}
	}
	return err
}

// has reports whether the kernel has a driver, built in or as a file that is there.
func (m *kernelModules) has(ctx context.Context, tree guest.FS, name string) (bool, error) {
	if m.builtin[name] {
		return true, nil
	}
	file, ok := m.files[name]
	if !ok {
		return false, nil
	}
	info, ok, err := lookStat(ctx, tree, file)
	return ok && info.Mode.IsRegular() && info.Size > 0, err
}

// needs returns the modules that a driver cannot be loaded without, as far as they are not built in.
func (m *kernelModules) needs(name string) []string {
	deps := m.deps[name]
	if _, ok := m.files[name]; (!m.listed || !ok) && strings.HasPrefix(name, "virtio_") {
		deps = virtioCore
	}
	var needed []string
	for _, d := range deps {
		if !m.builtin[d] && d != name {
			needed = append(needed, d)
		}
	}
	return needed
}
