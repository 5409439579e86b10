package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// manifest examines a job config or manifest: whether it is valid, whether its owner may name what it names, which disks
// beside it are its own, and whether it is several jobs in one.
func (in *intake) manifest(ctx context.Context, e queue.Entry) (queue.Need, error) {
	b, err := readBounded(e.Path, manifest.MaxBytes)
	if err != nil {
		return queue.Need{}, err
	}
	drafts, problems := manifest.Load(e.Name, b)
	if err := problems.Err(); err != nil {
		return queue.Need{Kind: "manifest", Refuse: refusal(problems, b)}, nil
	}
	for i := range drafts {
		if err := in.allowed(drafts[i], e.Identity.UID); err != nil {
			return queue.Need{Kind: "manifest", Refuse: policyFields(err)}, nil
		}
	}
	if len(drafts) > 1 {
		return in.batch(e, b)
	}
	need := queue.Need{Kind: "manifest", Payload: payload{Draft: &drafts[0]}}
	dir := filepath.Dir(e.Path)
	for _, input := range drafts[0].Inputs() {
		if filepath.IsAbs(input) {
			continue
		}
		if input == e.Name {
			return queue.Need{Kind: "manifest", Refuse: fields(manifest.CodeManifestValue,
				fmt.Sprintf("the manifest names itself (%q) as its disk", input), "name the disk image")}, nil
		}
		need.Members = append(need.Members, input)
		members, err := in.companions(ctx, filepath.Join(dir, input))
		need.Members = append(need.Members, beside(members)...)
		if err != nil {
			return in.unready(e, need, err), nil
		}
	}
	need.Members = dedup(need.Members)
	return need, nil
}

// batch splits a file of several jobs into one file each.
func (in *intake) batch(e queue.Entry, b []byte) (queue.Need, error) {
	files, problems := manifest.Split(e.Name, b)
	if err := problems.Err(); err != nil {
		return queue.Need{Kind: "batch", Refuse: refusal(problems, b)}, nil
	}
	need := queue.Need{Kind: "batch"}
	for _, f := range files {
		need.Parts = append(need.Parts, queue.Part{Name: f.Name, Content: f.Content})
	}
	return need, nil
}

// allowed applies the trust rules to every absolute path of a draft.
func (in *intake) allowed(d manifest.Draft, uid uint32) error {
	s := in.settings()
	for _, input := range d.Inputs() {
		if filepath.IsAbs(input) {
			if err := in.trust.source(s, uid, input); err != nil {
				return err
			}
		}
	}
	if dir := d.Resolve(s.Defaults).Convert.OutputDir; dir != "" {
		return in.trust.output(s, uid, dir)
	}
	return nil
}

// refusal makes the fields of an error.json from a manifest's problems: all of them, with the lines they stand on.
func refusal(problems manifest.Problems, source []byte) map[string]any {
	var text strings.Builder
	_ = problems.Write(&text, source) // a Builder takes everything
	invalid := &manifest.InvalidError{Problems: problems}
	f := fields(invalid.First().Code, invalid.Error(),
		"correct the manifest and move it back to "+queue.DirQueued+"/; check it first: hyperctl manifest validate FILE")
	f["problems"] = problems
	f["exception"] = strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
	return f
}

func policyFields(err error) map[string]any {
	if p, ok := errors.AsType[*policyError](err); ok {
		return fields(p.Code, p.Message, p.Hint)
	}
	return fields(manifest.CodePolicyPath, err.Error(), "")
}

// fields are the fields of an error.json that every failure has.
func fields(code, message, hint string) map[string]any {
	return failureFields(manifest.Failure{Code: code, Message: message, Hint: hint, Chain: []string{message}})
}

func failureFields(f manifest.Failure) map[string]any {
	return map[string]any{
		"code": f.Code, "stage": f.Stage, "error": f.Message, "exception": f.Chain, "retryable": f.Retryable, "hint": f.Hint,
	}
}

// readBounded reads a regular file of at most limit bytes; a longer one is read one byte further, so that its reader can say so.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := disk.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, min(f.Size(), limit+1))
	if _, err := io.ReadFull(io.NewSectionReader(f, 0, int64(len(b))), b); err != nil {
		return nil, err
	}
	return b, nil
}

func dedup(names []string) []string {
	var out []string
	for _, n := range names {
		if !oneOf(out, n) {
			out = append(out, n)
		}
	}
	return out
}
