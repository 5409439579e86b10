package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
)

// manifest examines a job config or manifest: whether it is valid, whether its owner may name what it names, which disks
// beside it are its own, and whether it is several jobs in one.
func (in *intake) manifest(ctx context.Context, e queue.Entry, inFolder bool) (queue.Need, error) {
	b, by, err := in.readManifest(e, inFolder)
	if err != nil {
		return queue.Need{}, err
	}
	drafts, problems := manifest.Load(e.Name, b)
	if err := problems.Err(); err != nil {
		return queue.Need{Kind: "manifest", Refuse: refusal(problems, b)}, nil
	}
	var limits payload
	for i := range drafts {
		if limits, err = in.allowed(drafts[i], by); err != nil {
			return queue.Need{Kind: "manifest", Refuse: policyFields(err)}, nil
		}
	}
	if len(drafts) > 1 {
		return in.batch(e, b)
	}
	limits.Draft = &drafts[0]
	need := queue.Need{Kind: "manifest", Payload: limits}
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
		for _, input := range f.Inputs {
			if !filepath.IsAbs(input) { // it stays where it is, and does not start alone meanwhile
				need.Members = append(need.Members, input)
			}
		}
	}
	return need, nil
}

// allowed applies the trust rules to every absolute path of a draft, and says what stays to be watched while the job runs.
func (in *intake) allowed(d manifest.Draft, by author) (limits payload, err error) {
	s := in.settings()
	for _, input := range d.Inputs() {
		if !filepath.IsAbs(input) {
			continue
		}
		root, err := in.trust.source(s, by, input)
		if err != nil {
			return payload{}, err
		}
		if root != "" {
			if limits.Roots == nil {
				limits.Roots = map[string]string{}
			}
			limits.Roots[input] = root
		}
	}
	if dir := d.Resolve(s.Defaults).Convert.OutputDir; dir != "" {
		limits.OutputRoot, err = in.trust.output(s, by, dir)
		if err == nil && limits.OutputRoot != "" {
			err = noLinks(limits.OutputRoot, dir)
		}
	}
	return limits, err
}

// refusal makes the fields of an error.json from a manifest's problems: all of them, with the lines they stand on.
func refusal(problems manifest.Problems, source []byte) map[string]any {
	var text strings.Builder
	_ = problems.Write(&text, source) // a Builder takes everything
	invalid := &manifest.InvalidError{Problems: problems}
	f := fields(invalid.First().Code, invalid.Error(),
		"correct the manifest and move it back to "+queue.DirQueued+"/; check it first: hyperctl manifest validate FILE")
	f["problems"] = problems
	f["exception"] = strings.TrimRight(text.String(), "\n")
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
		"code": f.Code, "stage": f.Stage, "error": f.Message, "exception": strings.Join(f.Chain, "\n"), "retryable": f.Retryable, "hint": f.Hint,
	}
}

// readManifest reads a manifest and finds out whose word it is. What lies on the way to it is not followed if it is a link: the
// owner of a folder may exchange it while it is looked at. A longer file than a manifest may be is read one byte further, so
// that its reader can say so.
func (in *intake) readManifest(e queue.Entry, inFolder bool) ([]byte, author, error) {
	zone := filepath.Dir(e.Path)
	rel := "."
	if inFolder {
		zone, rel = filepath.Dir(zone), filepath.Base(zone)
	}
	dir, err := convert.OpenDirBelow(zone, rel)
	if err != nil {
		return nil, author{}, err
	}
	defer dir.Close()
	fd, err := unix.Openat(int(dir.Fd()), e.Name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, author{}, &os.PathError{Op: "open", Path: e.Path, Err: err}
	}
	f := os.NewFile(uintptr(fd), e.Path)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, author{}, &os.PathError{Op: "fstat", Path: e.Path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, author{}, &os.PathError{Op: "read", Path: e.Path, Err: queue.ErrNotRegular}
	}
	b, err := io.ReadAll(io.LimitReader(f, manifest.MaxBytes+1))
	return b, in.trust.author(e.Identity.UID, st), err
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
