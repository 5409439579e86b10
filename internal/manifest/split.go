package manifest

import (
	"fmt"
	"strings"
)

// PartFile is one VM of a manifest as a manifest of its own.
type PartFile struct {
	Name    string   // file name, ends in .json; no two parts have the same
	Content []byte   // Load reads it as a Draft equal to the one of the whole, but for File and Line
	Inputs  []string // the sources it names
}

// maxSplit bounds what Split writes for one manifest, in bytes. Keys that stand once for a whole list are written once for each
// VM, so a small hostile file could become a large folder.
const maxSplit = 16 << 20

// Split writes every VM of a manifest as a manifest of its own, which the daemon does with a batch. When there is an error
// among the problems there are no parts.
func Split(name string, b []byte) ([]PartFile, Problems) {
	drafts, docs, problems := load(name, b)
	taken := map[string]bool{} // by a part, or by a source that will stand beside it
	for _, d := range drafts {
		for _, input := range d.Inputs() {
			taken[strings.ToLower(input)] = true
		}
	}
	var parts []PartFile
	total := 0
	for i, d := range drafts {
		content := docs[i].JSON()
		if total += len(content); total > maxSplit || len(content) > MaxBytes {
			l := &log{file: name, problems: problems}
			l.fail(CodeManifestLimit, docs[i], "write several manifests", "the VMs are too much text when each is written out: %d bytes are allowed, %d for one",
				maxSplit, MaxBytes)
			return nil, l.sorted()
		}
		parts = append(parts, PartFile{Name: partName(d.Name, taken), Content: content, Inputs: d.Inputs()})
	}
	return parts, problems
}

// partName returns a file name for a part. The queue's own records end in .meta.json, .error.json and .report.json, so a VM
// whose name would make its part look like one gets an underscore.
func partName(vm string, taken map[string]bool) string {
	for _, suffix := range []string{".meta", ".error", ".report"} {
		if stem, found := strings.CutSuffix(vm, suffix); found {
			vm = stem + "_" + suffix[1:]
		}
	}
	name := vm + ".json"
	for i := 2; taken[strings.ToLower(name)]; i++ {
		name = fmt.Sprintf("%s-%d.json", vm, i)
	}
	taken[strings.ToLower(name)] = true
	return name
}
