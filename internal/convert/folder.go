package convert

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/packed"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// folder opens what a dropped folder holds: the one package or description in it, else its disks.
func (g *gatherer) folder() error {
	var packages, images []string
	for name := range g.req.Files {
		ending := strings.ToLower(path.Ext(packed.PlainName(name)))
		switch base := path.Base(name); {
		case filepath.IsAbs(name) || strings.HasPrefix(base, "."): // ._x.ovf is how a Mac keeps attributes
		case ending == ".ovf" || ending == ".ova" || ending == ".vmx":
			packages = append(packages, name)
		case slices.Contains(imageEndings, ending) && g.besidePlain(name):
			g.warn(manifest.CodeMachineAssumed, "%s is left out: it stands there unpacked, too", machine.Quote(name))
		case slices.Contains(imageEndings, ending) && !strings.HasSuffix(strings.ToLower(base), "-ctk.vmdk"):
			images = append(images, name)
		}
	}
	slices.SortFunc(packages, naturalCompare)
	slices.SortFunc(images, naturalCompare)
	switch {
	case len(packages) == 1:
		return g.named(manifest.SourceDisk{Path: packages[0]})
	case len(packages) > 1:
		return coded(manifest.CodeMachineSeveral, "put each VM into a folder of its own, or name the one you mean in a manifest",
			fmt.Errorf("the folder describes several VMs, or one of them twice: %s", quoteAll(packages)))
	case len(images) == 0:
		return coded(manifest.CodeMachineNoDisk, "", fmt.Errorf("there is no disk, OVF, OVA or VMX in the folder"))
	}
	return g.folderDisks(images)
}

// besidePlain reports whether a compressed file of a folder stands there without its ending, too.
func (g *gatherer) besidePlain(name string) bool {
	plain := packed.PlainName(name)
	_, ok := g.req.Files[plain]
	return ok && plain != name
}

// candidate is an image of a folder that may be a disk, or only a part of one.
type candidate struct {
	name string
	used map[string]bool // host paths of the files that it needed
	img  disk.Image
	fact DiskFacts
	err  error
}

// folderDisks opens every image of a folder and keeps the disks of the VM: the images that no other one needs as its extent
// or parent. An image that cannot be opened and that nothing needs fails the job.
func (g *gatherer) folderDisks(names []string) error {
	var all []candidate
	needed := map[string]bool{}
	for _, name := range names {
		c := g.candidate(name)
		for p := range c.used {
			needed[p] = true
		}
		all = append(all, c)
	}
	var failed error
	for _, c := range all {
		switch part := needed[g.req.Files[c.name]]; {
		case c.err == nil && !part:
			g.add(machine.Disk{File: c.name, Capacity: c.fact.VirtualSize}, c.img, c.fact)
		case c.err == nil:
			c.img.Close()
		case !part && failed == nil:
			failed = c.err
		}
	}
	return failed
}

func (g *gatherer) candidate(name string) candidate {
	c := candidate{name: name}
	f, err := g.source(name, "")
	if err != nil {
		c.err = err
		return c
	}
	at, err := g.beside(name)
	if err != nil {
		f.Close()
		c.err = err
		return c
	}
	c.img, c.fact, c.err = openImage(g.ctx, f, name, g.req.Job.Source.Type, at)
	c.used = at.used
	return c
}

// maxQuoted is how many names a message lists before it only counts.
const maxQuoted = 8

func quoteAll(names []string) string {
	var quoted []string
	for i, n := range names {
		if i == maxQuoted {
			quoted = append(quoted, fmt.Sprintf("and %d more", len(names)-i))
			break
		}
		quoted = append(quoted, machine.Quote(n))
	}
	return strings.Join(quoted, ", ")
}
