package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/machine/ova"
	"hyper2kvm/internal/queue"
)

// companions lists the files beside path, which may not be there itself, that belong to it.
func (in *intake) companions(ctx context.Context, path string) ([]string, error) {
	names, err := convert.Companions(ctx, path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil // the queue waits for it
	}
	return names, err
}

// ova examines an archive that holds everything it needs.
func (in *intake) ova(e queue.Entry) (queue.Need, error) {
	need := queue.Need{Kind: "ova"}
	f, err := disk.OpenFile(e.Path)
	if err != nil {
		return queue.Need{}, err
	}
	defer f.Close()
	if _, err := ova.Open(f, f.Size()); err != nil {
		return in.unready(e, need, err), nil
	}
	return need, nil
}

// described examines an OVF or VMX file, whose disks lie beside it.
func (in *intake) described(ctx context.Context, e queue.Entry, kind string) (queue.Need, error) {
	need := queue.Need{Kind: kind}
	members, err := in.companions(ctx, e.Path)
	need.Members = beside(members)
	if err != nil {
		return in.unready(e, need, err), nil
	}
	return need, nil
}

// beside leaves out what lies in a folder below, which cannot be dropped as a file: the job's child says that it is missing.
func beside(names []string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, "/") })
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
		case ending == ".ova", ending == ".ovf", ending == ".vmx", oneOf(diskEndings, diskEnding(name)):
			convertible = true
		}
	}
	switch {
	case len(manifests) > 1:
		need.Wait = fmt.Sprintf("the folder holds several manifests (%q): keep one, or use jobs: in one file", manifests[:2])
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
	inner := queue.Entry{Name: name, Path: filepath.Join(e.Path, name), Identity: e.Identity}
	need, err := in.manifest(ctx, inner, true)
	if err != nil {
		return need, err
	}
	if len(need.Parts) > 0 {
		return queue.Need{Kind: "folder", Refuse: fields("H2K-MAN-008", "a manifest inside a folder describes the one VM of the folder, and this one lists several",
			"put the manifest and the disks into "+queue.DirQueued+"/ itself")}, nil
	}
	missing := slices.DeleteFunc(slices.Clone(need.Members), func(m string) bool { return slices.Contains(e.Files, m) })
	if len(missing) > 0 && need.Wait == "" && need.Refuse == nil {
		need.Wait = fmt.Sprintf("missing %q in the folder", missing)
	}
	need.Kind, need.Members = "folder", nil
	return need, nil
}

// signature names the format of a file that says what it is, or "".
func (in *intake) signature(path string) string {
	f, err := disk.OpenFile(path)
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
