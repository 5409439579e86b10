package manifest

import (
	"path"
	"slices"

	sy "hyper2kvm/internal/strictyaml"
)

// MaxBytes is the largest manifest that Load reads.
const MaxBytes = sy.MaxBytes

// Load reads a manifest of any dialect: one Draft for each VM it describes. name is the file's name, for the problems and
// because .json is read as JSON. When there is an error among the problems there are no drafts; warnings come with them.
func Load(name string, b []byte) ([]Draft, Problems) {
	drafts, _, problems := load(name, b)
	return drafts, problems
}

// load is Load with the stand-alone document of every draft.
func load(name string, b []byte) ([]Draft, []*sy.Node, Problems) {
	l := &log{file: name}
	root, faults := sy.Parse(name, b)
	l.faults(faults)
	if root == nil {
		return nil, nil, l.sorted()
	}
	dialect := l.dialect(root)
	if dialect == DialectNone {
		return nil, nil, l.sorted()
	}
	l.faults(shapeOf(dialect).Check(root))
	vms := l.split(dialect, root)
	drafts := make([]Draft, 0, len(vms))
	owners := owners{self: path.Base(name), of: map[string]owner{}}
	for i, vm := range vms {
		r := &reader{log: l, owners: owners, vm: i, d: Draft{Dialect: dialect, File: name, Line: vm.Pos.Line}}
		switch dialect {
		case DialectJobConfig:
			r.jobConfig(vm)
		case DialectPipeline:
			r.pipeline(vm)
		default:
			r.artifact(vm)
		}
		drafts = append(drafts, r.d)
	}
	problems := l.sorted()
	if problems.Err() != nil {
		return nil, nil, problems
	}
	return drafts, vms, problems
}

func shapeOf(d Dialect) *sy.Shape {
	switch d {
	case DialectJobConfig:
		return jobShape
	case DialectPipeline:
		return pipelineShape
	default:
		return artifactShape
	}
}

// dialectName is what a dialect is called in messages.
func dialectName(d Dialect) string {
	switch d {
	case DialectJobConfig:
		return "a job config"
	case DialectPipeline:
		return "a pipeline manifest"
	default:
		return "an artifact manifest"
	}
}

// signs are the keys that each dialect alone has at its top.
var signs = []struct {
	dialect Dialect
	keys    []string
}{
	{DialectArtifact, []string{"manifest_version", "disks"}},
	{DialectPipeline, []string{"version", "batch", "vms"}},
	{DialectJobConfig, []string{"input", "jobs"}},
}

// dialect finds out the dialect by the keys at the top. It reports a file that is of two or of none, and returns DialectNone.
func (l *log) dialect(root *sy.Node) Dialect {
	if root.Kind != sy.Map {
		l.fail(CodeManifestSyntax, root, "begin with input:, version: or manifest_version:", "a manifest is a mapping (key: value)")
		return DialectNone
	}
	found, by := DialectNone, ""
	for _, e := range root.Entries {
		for _, s := range signs {
			switch {
			case !slices.Contains(s.keys, e.Key) || s.dialect == found:
			case found == DialectNone:
				found, by = s.dialect, e.Key
			default:
				l.add(SeverityError, CodeManifestDialect, e.Value.KeyPos, "", "write one file for each",
					"two dialects in one file: "+sy.Quote(by)+" makes it "+dialectName(found)+", "+sy.Quote(e.Key)+" makes it "+dialectName(s.dialect))
				return DialectNone
			}
		}
	}
	if found == DialectNone {
		found = guessDialect(root)
	}
	if found != DialectNone {
		return found
	}
	hint := `begin with input: (job config), version: "1.0" (pipeline manifest) or manifest_version: "1.0" (artifact manifest)`
	for _, key := range []string{"workflow_dir", "workflow", "max_concurrent_jobs", "mode"} {
		if root.Has(key) {
			l.add(SeverityError, CodeManifestDialect, root.Get(key).KeyPos, "", "give it to the daemon with --config", "this is a configuration of the daemon, not a manifest")
			return DialectNone
		}
	}
	l.add(SeverityError, CodeManifestDialect, root.Pos, "", hint, "this is none of the known manifests")
	return DialectNone
}

// guessDialect finds the dialect of a file that has none of the signs: by its other keys, or by a misspelt sign.
func guessDialect(root *sy.Node) Dialect {
	if root.Has("pipeline") {
		if root.Has("output") || root.Has("source") || root.Has("metadata") {
			return DialectArtifact
		}
		return DialectPipeline
	}
	for _, e := range root.Entries {
		for _, s := range signs {
			if sy.Nearest(e.Key, s.keys) != "" {
				return s.dialect
			}
		}
	}
	for _, e := range root.Entries {
		if e.Key != "$schema" && e.Key != "name" && jobShape.Field(e.Key) != nil || jobInstead[e.Key] != "" {
			return DialectJobConfig
		}
	}
	return DialectNone
}

// split returns a stand-alone document for every VM. Nodes of the file are shared, so places and paths stay those of the file.
func (l *log) split(d Dialect, root *sy.Node) []*sy.Node {
	switch d {
	case DialectJobConfig:
		return l.splitJobs(root)
	case DialectPipeline:
		return l.splitBatch(root)
	default:
		return []*sy.Node{root}
	}
}

func (l *log) splitJobs(root *sy.Node) []*sy.Node {
	jobs := root.Get("jobs")
	if jobs == nil {
		if root.Get("input") == nil && !l.reported(CodeManifestKey) {
			l.fail(CodeManifestRequired, root, "", `"input" is missing`)
		}
		return []*sy.Node{root}
	}
	var shared []sy.Entry
	for _, e := range root.Entries {
		switch e.Key {
		case "$schema", "jobs":
		case "input", "input_format", "checksum", "name", "output_name":
			l.add(SeverityError, CodeManifestConflict, e.Value.KeyPos, "", "move it into an item of jobs", sy.Quote(e.Key)+" cannot stand beside \"jobs\": it is of one VM")
		default:
			shared = append(shared, e)
		}
	}
	var vms []*sy.Node
	for _, job := range jobs.Items {
		if job.Kind != sy.Map || len(vms) == MaxVMs {
			continue // reported by its shape
		}
		vm := *job
		vm.Entries = slices.Clone(job.Entries)
		for _, e := range shared {
			if !job.Has(e.Key) {
				vm.Entries = append(vm.Entries, e)
			}
		}
		vms = append(vms, &vm)
	}
	return vms
}

func (l *log) splitBatch(root *sy.Node) []*sy.Node {
	vms, one, batch := root.Get("vms"), root.Get("pipeline"), root.Get("batch").Bool()
	conflict := func(n *sy.Node, hint, message string) {
		l.add(SeverityError, CodeManifestConflict, n.KeyPos, "", hint, message)
	}
	switch {
	case vms != nil && batch != nil && !*batch:
		conflict(vms, "write batch: true", `"vms" is read only with batch: true`)
	case vms != nil && one != nil:
		conflict(one, "move it into an item of vms", `"pipeline" cannot stand beside "vms"`)
	case vms == nil && batch != nil && *batch:
		if one != nil {
			conflict(one, "write batch: false, or move it into an item of vms", `"pipeline" is read only without batch: true`)
		} else {
			l.fail(CodeManifestRequired, root, "", `"vms" is missing`)
		}
	case vms == nil && one == nil && !l.reported(CodeManifestKey):
		l.fail(CodeManifestRequired, root, "", `"pipeline" is missing`)
	}
	if vms == nil {
		return []*sy.Node{root}
	}
	for _, key := range []string{"vm", "nics", "network_map", "options", "tags"} {
		if n := root.Get(key); n != nil {
			conflict(n, "move it into an item of vms", sy.Quote(key)+` cannot stand beside "vms": it is of one VM`)
		}
	}
	var docs []*sy.Node
	for _, vm := range vms.Items {
		if vm.Kind != sy.Map || len(docs) == MaxVMs {
			continue // reported by its shape
		}
		doc := *vm
		doc.Entries = append([]sy.Entry{{Key: "version", Value: sy.NewText("1.0")}}, vm.Entries...)
		docs = append(docs, &doc)
	}
	return docs
}

// reported tells whether an error with the code was found at the top of the file: a misspelt key is one mistake, not two.
func (l *log) reported(code string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool { return p.Code == code && p.Path == "" })
}
