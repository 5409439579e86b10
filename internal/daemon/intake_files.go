package daemon

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/disk/vmdk"
	"hyper2kvm/internal/machine/ova"
	"hyper2kvm/internal/machine/ovf"
	"hyper2kvm/internal/machine/vmx"
	"hyper2kvm/internal/queue"
)

// maxDescriptor bounds an OVF or VMX file; the longest OVF known (a VMware product's) is half a megabyte.
const maxDescriptor = 4 << 20

// openPlain opens a file of the drop zone: regular, no symbolic link, never blocking.
func openPlain(path string) (*disk.HostFile, error) { return disk.OpenFile(path) }

// references lists the files beside an image that it is made of: extents, and the parents of its chain. Names that lead
// elsewhere are left out: nothing there may belong to the job, and its child refuses them by name.
func (in *intake) references(ctx context.Context, path string) ([]string, error) {
	dir := filepath.Dir(path)
	self := filepath.Base(path)
	var names []string
	add := func(name string) {
		name = strings.TrimPrefix(name, "./")
		if name != self && name == filepath.Base(name) && name != ".." && name != "." && name != "" {
			names = append(names, name)
		}
	}
	f, err := openPlain(path)
	if err != nil {
		return nil, err
	}
	// A VMDK descriptor names all its extents at once; other formats are asked by opening them, which tells one parent after
	// the other for as long as they are there. When a missing one arrives, the entry is examined again.
	if extents, parent, err := vmdk.References(f); err == nil {
		for _, e := range extents {
			add(e)
		}
		if parent != "" {
			add(baseName(parent))
		}
	}
	beside := disk.DirOpener(dir)
	img, err := formats.Open(ctx, f, formats.OpenOptions{Open: func(name string) (disk.File, error) {
		add(name)
		return beside(name)
	}})
	if err == nil {
		img.Close()
	}
	if errors.Is(err, disk.ErrMissing) {
		err = nil // the queue waits for the name
	}
	return dedup(names), err
}

// companions lists the files that belong to a file which a manifest names.
func (in *intake) companions(ctx context.Context, path string) ([]string, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ova":
		return nil, nil
	case ".ovf":
		return in.ovfFiles(path)
	case ".vmx":
		return in.vmxFiles(ctx, path)
	}
	refs, err := in.references(ctx, path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // the queue waits for it
	}
	return refs, err
}

// ova examines an archive that holds everything it needs.
func (in *intake) ova(e queue.Entry) (queue.Need, error) {
	need := queue.Need{Kind: "ova"}
	f, err := openPlain(e.Path)
	if err != nil {
		return queue.Need{}, err
	}
	defer f.Close()
	if _, err := ova.Open(f, f.Size()); err != nil {
		return in.unready(e, need, err), nil
	}
	return need, nil
}

// ovf examines an OVF descriptor that came unpacked: its disks lie beside it.
func (in *intake) ovf(e queue.Entry) (queue.Need, error) {
	need := queue.Need{Kind: "ovf"}
	members, err := in.ovfFiles(e.Path)
	if err != nil {
		return in.unready(e, need, err), nil
	}
	need.Members = members
	return need, nil
}

func (in *intake) ovfFiles(path string) ([]string, error) {
	b, err := readBounded(path, maxDescriptor)
	if err != nil {
		return nil, err
	}
	pkg, err := ovf.Parse(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range pkg.Files {
		names = append(names, f.Href)
	}
	stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	for _, optional := range []string{stem + ".mf", stem + ".cert"} {
		if _, err := os.Lstat(filepath.Join(filepath.Dir(path), optional)); err == nil {
			names = append(names, optional)
		}
	}
	return dedup(names), nil
}

// vmx examines a VMware configuration with its disks beside it.
func (in *intake) vmx(ctx context.Context, e queue.Entry) (queue.Need, error) {
	need := queue.Need{Kind: "vmx"}
	members, err := in.vmxFiles(ctx, e.Path)
	if err != nil {
		return in.unready(e, need, err), nil
	}
	need.Members = members
	return need, nil
}

func (in *intake) vmxFiles(ctx context.Context, path string) ([]string, error) {
	b, err := readBounded(path, maxDescriptor)
	if err != nil {
		return nil, err
	}
	m, err := vmx.Parse(b)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, d := range m.Disks {
		if d.Blank() || d.File != filepath.Base(d.File) {
			continue
		}
		names = append(names, d.File)
		refs, err := in.companions(ctx, filepath.Join(filepath.Dir(path), d.File))
		if err != nil {
			return nil, err
		}
		names = append(names, refs...)
	}
	return dedup(names), nil
}

// folder examines a dropped folder: a job as soon as there is something in it to convert.
func (in *intake) folder(ctx context.Context, e queue.Entry) (queue.Need, error) {
	need := queue.Need{Kind: "folder"}
	var manifests []string
	convertible := false
	for _, name := range e.Files {
		if strings.HasPrefix(path.Base(name), ".") {
			continue
		}
		ending := strings.ToLower(path.Ext(name))
		switch {
		case oneOf(manifestEndings, ending) && !strings.Contains(name, "/"):
			manifests = append(manifests, name)
		case ending == ".ova", ending == ".ovf", ending == ".vmx", oneOf(diskEndings, ending):
			convertible = true
		}
	}
	switch {
	case len(manifests) > 1:
		need.Wait = "the folder holds several manifests (" + strings.Join(manifests[:2], ", ") + "): keep one, or use jobs: in one file"
		return need, nil
	case len(manifests) == 1:
		return in.folderManifest(ctx, e, manifests[0])
	case !convertible:
		need.Wait = "nothing to convert in it: no disk, OVF, OVA, VMX or manifest"
	}
	return need, nil
}

// folderManifest examines the manifest inside a folder. The disks it names are in the folder, or nowhere.
func (in *intake) folderManifest(ctx context.Context, e queue.Entry, name string) (queue.Need, error) {
	full := filepath.Join(e.Path, filepath.FromSlash(name))
	inner := queue.Entry{Name: name, Path: full, Identity: e.Identity}
	var st unix.Stat_t
	if err := unix.Lstat(full, &st); err != nil {
		return queue.Need{}, &os.PathError{Op: "lstat", Path: full, Err: err}
	}
	inner.Identity.UID = st.Uid
	need, err := in.manifest(ctx, inner)
	if err != nil {
		return need, err
	}
	if len(need.Parts) > 0 {
		return queue.Need{Kind: "folder", Refuse: fields("H2K-MAN-008", "a manifest inside a folder describes the one VM of the folder, and this one lists several",
			"put the manifest and the disks into "+queue.DirQueued+"/ itself")}, nil
	}
	missing := slices.DeleteFunc(slices.Clone(need.Members), func(m string) bool { return slices.Contains(e.Files, m) })
	if len(missing) > 0 && need.Wait == "" && need.Refuse == nil {
		need.Wait = "missing " + strings.Join(missing, ", ") + " in the folder"
	}
	need.Kind, need.Members = "folder", nil
	return need, nil
}

// signature names the format of a file that says what it is, or "".
func (in *intake) signature(path string) string {
	f, err := openPlain(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	format, err := formats.Probe(f)
	if err != nil || format == "raw" {
		return ""
	}
	return format
}

// baseName is the last element of a name written on Unix or on Windows.
func baseName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		return name[i+1:]
	}
	return name
}
