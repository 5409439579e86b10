package initramfs

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
)

// collector gathers what the entries of all archives tell.
type collector struct {
	modules map[string]bool   // paths of modules that have content
	links   map[string]string // symbolic links that are named like modules, and where they lead
	kernels map[string]bool
	builtin map[string]bool
	dep     map[string]bool
	kinds   map[string]bool
	files   map[string]string
	entries int
	names   int // bytes of names kept
}

func newCollector() *collector {
	return &collector{
		modules: map[string]bool{}, links: map[string]string{}, kernels: map[string]bool{}, builtin: map[string]bool{},
		dep: map[string]bool{}, kinds: map[string]bool{}, files: map[string]string{},
	}
}

// signs are the files that only one kind of image has.
var signs = []struct {
	prefix string // a name, or with a slash at its end the beginning of one
	kind   string
}{
	{"usr/lib/dracut/", KindDracut},
	{"lib/dracut/", KindDracut},
	{"var/lib/dracut/", KindDracut},
	{"etc/dracut.conf.d/", KindDracut},
	{"scripts/init-top/", KindInitramfsTools},
	{"scripts/local-top/", KindInitramfsTools},
	{"conf/initramfs.conf", KindInitramfsTools},
	{"conf/arch.conf", KindInitramfsTools},
	{"init_functions", KindMkinitcpio},
	{"buildconfig", KindMkinitcpio},
	{"sbin/nlplug-findfs", KindMkinitfs},
	{"usr/sbin/nlplug-findfs", KindMkinitfs},
	{"bin/nash", KindMkinitrd},
	{"sbin/nash", KindMkinitrd},
	{"lib/mkinitrd/", KindMkinitrd},
	{"config/start.sh", KindMkinitrd},
	{"etc/booster.init.yaml", KindBooster},
	{".initrd/", KindMakeInitrd},
	{"lib/systemd/systemd", KindSystemd},
	{"usr/lib/systemd/systemd", KindSystemd},
}

// wanted reports whether the content of a small file is kept.
func wanted(name string) bool {
	switch name {
	case "etc/fstab", "etc/crypttab", "cryptroot/crypttab":
		return true
	}
	return strings.HasPrefix(name, "etc/cmdline.d/") || strings.HasPrefix(name, "conf/") || strings.Contains(name, "/hooks/initqueue/finished/devexists-")
}

// add takes one entry; body is its content, of which as much is read as is needed.
func (c *collector) add(e entry, body io.Reader) error {
	if c.entries++; c.entries > maxEntries {
		return fmt.Errorf("%w: more than %d files", ErrLimit, maxEntries)
	}
	for _, s := range signs {
		if e.name == s.prefix || strings.HasPrefix(e.name, s.prefix) && strings.HasSuffix(s.prefix, "/") {
			c.kinds[s.kind] = true
		}
	}
	if strings.HasPrefix(e.name, "sbin/dracut-") {
		c.kinds[KindDracut] = true
	}
	if version, rest, ok := moduleKernel(e.name); ok {
		if err := c.keep(c.kernels, version); err != nil {
			return err
		}
		switch {
		case !e.regular():
		case rest == "modules.builtin":
			c.builtin[version] = true
		case rest == "modules.dep", rest == "modules.dep.bin":
			c.dep[version] = true
		}
	}
	if _, ok := ModuleName(e.name); ok {
		return c.module(e, body)
	}
	if e.regular() && e.size <= maxFile && wanted(e.name) && len(c.files) < maxFiles {
		b, err := io.ReadAll(body)
		c.files[e.name] = string(b)
		return err
	}
	return nil
}

// module takes an entry that is named like a module. One without content is none, unless its content comes with another name of the
// same file: cpio stores that once, with the last.
func (c *collector) module(e entry, body io.Reader) error {
	switch {
	case e.regular() && (e.size > 0 || e.links > 1):
		return c.keep(c.modules, e.name)
	case e.link() && e.size <= maxName:
		b, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		to := string(b)
		if !path.IsAbs(to) {
			to = path.Join("/", path.Dir(e.name), to)
		}
		c.links[e.name] = strings.TrimPrefix(path.Clean(to), "/")
		c.names += len(e.name) + len(to)
		return c.room()
	}
	return nil
}

// keep adds a name to a set, within bounds.
func (c *collector) keep(set map[string]bool, name string) error {
	if !set[name] {
		set[name] = true
		c.names += len(name)
	}
	return c.room()
}

func (c *collector) room() error {
	if c.names > maxNames {
		return fmt.Errorf("%w: names of modules fill more than %d bytes", ErrLimit, maxNames)
	}
	return nil
}

// contents sums up.
func (c *collector) contents() Contents {
	for name, to := range c.links {
		if c.modules[to] || c.modules["usr/"+to] || c.modules[strings.TrimPrefix(to, "usr/")] {
			c.modules[name] = true
		}
	}
	out := Contents{
		Kernels: slices.Sorted(maps.Keys(c.kernels)), Builtin: slices.Sorted(maps.Keys(c.builtin)),
		Dep: slices.Sorted(maps.Keys(c.dep)), Kinds: slices.Sorted(maps.Keys(c.kinds)), Files: c.files,
	}
	for _, p := range slices.Sorted(maps.Keys(c.modules)) {
		name, _ := ModuleName(p)
		version, _, _ := moduleKernel(p)
		out.Modules = append(out.Modules, Module{Name: name, Kernel: version, Path: p})
	}
	return out
}
