package daemon

import (
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hyper2kvm/internal/manifest"
)

// trust decides which absolute paths a manifest may name. A manifest that root or the daemon's own user owns may name any;
// everybody else's only what lies under the roots of the settings, and plain names beside the manifest.
type trust struct {
	self uint32 // the daemon's user id
}

// source allows or refuses an absolute source path of a manifest that uid owns.
func (t trust) source(s Settings, uid uint32, path string) error {
	if t.trusts(uid) || under(s.ImportRoots, path) {
		return nil
	}
	return refusePath(uid, path, "import_roots", filepath.Dir(path))
}

// output allows or refuses an absolute output directory of a manifest that uid owns.
func (t trust) output(s Settings, uid uint32, dir string) error {
	if t.trusts(uid) || under(s.OutputRoots, dir) || under([]string{s.OutputDir}, dir) {
		return nil
	}
	return refusePath(uid, dir, "output_roots", dir)
}

func (t trust) trusts(uid uint32) bool { return uid == 0 || uid == t.self }

// operator allows or refuses a request of uid about a job that submitter dropped.
func (t trust) operator(s Settings, uid, submitter uint32) error {
	if t.trusts(uid) || uid == submitter {
		return nil
	}
	name := userName(uid)
	if slices.Contains(s.Operators, name) {
		return nil
	}
	return &policyError{
		Code:    manifest.CodePolicyOwner,
		Message: fmt.Sprintf("the job belongs to %s, and %s is not among the operators", userName(submitter), name),
		Hint:    "ask an administrator to add to the daemon's configuration: operators: [" + name + "]",
	}
}

// under reports whether path is one of roots or below one. Both are cleaned and absolute; symbolic links are dealt with where
// the file is opened.
func under(roots []string, path string) bool {
	path = filepath.Clean(path)
	return slices.ContainsFunc(roots, func(root string) bool {
		rel, err := filepath.Rel(filepath.Clean(root), path)
		return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
	})
}

func refusePath(uid uint32, path, key, dir string) error {
	return &policyError{
		Code: manifest.CodePolicyPath,
		Message: fmt.Sprintf("the manifest names %q, but it belongs to %s, and only manifests of root or of the daemon's user may name any absolute path",
			path, userName(uid)),
		Hint: fmt.Sprintf("put the file beside the manifest and name it plainly, or add to the daemon's configuration: %s: [%s]", key, dir),
	}
}

// policyError is a refusal with its code and the line that would allow it.
type policyError struct{ Code, Message, Hint string }

func (e *policyError) Error() string { return e.Message }

func userName(uid uint32) string {
	if u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10)); err == nil {
		return u.Username
	}
	return "user " + strconv.FormatUint(uint64(uid), 10)
}
