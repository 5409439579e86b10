package daemon

import (
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hyper2kvm/internal/manifest"
)

// trust decides which absolute paths a manifest may name. A manifest that root or the daemon's own user owns may name any;
// everybody else's only what lies under the roots of the settings, and plain names beside the manifest.
type trust struct {
	self uint32 // the daemon's user id
}

// author is whose word a manifest is.
type author struct {
	uid   uint32
	loose bool // others may have written it too
}

// author says whose word a manifest is that stands in an entry of owner: the one of the two who is trusted less. A file that its
// group or everybody may write is nobody's word in particular.
func (t trust) author(owner uint32, st unix.Stat_t) author {
	a := author{uid: st.Uid, loose: st.Mode&0o022 != 0}
	if t.trusts(st.Uid) && !t.trusts(owner) {
		a.uid = owner
	}
	return a
}

// source allows or refuses an absolute source path of a manifest. root is the import root that allows it, "" for an author who may
// name any path.
func (t trust) source(s Settings, by author, path string) (root string, err error) {
	if t.trusts(by.uid) && !by.loose {
		return "", nil
	}
	if root := rootOf(s.ImportRoots, path); root != "" {
		return root, nil
	}
	return "", refusePath(by, path, "import_roots", filepath.Dir(path))
}

// output allows or refuses an absolute output directory of a manifest. root is as in source.
func (t trust) output(s Settings, by author, dir string) (root string, err error) {
	if t.trusts(by.uid) && !by.loose {
		return "", nil
	}
	roots := append(slices.Clone(s.OutputRoots), s.OutputDir)
	root = rootOf(roots, dir)
	if root == "" {
		return "", refusePath(by, dir, "output_roots", dir)
	}
	if rel, _ := filepath.Rel(root, dir); slices.ContainsFunc(strings.Split(rel, "/"), func(part string) bool { return len(part) > 1 && part[0] == '.' }) {
		return "", &policyError{
			Code: manifest.CodePolicyPath, Message: fmt.Sprintf("the output directory %q is hidden; the queue builds results in such directories", dir),
			Hint: "choose a name that does not begin with a dot",
		}
	}
	return root, nil
}

func (t trust) trusts(uid uint32) bool { return uid == 0 || uid == t.self }

// operator allows or refuses a request of uid about a job that submitter dropped.
func (t trust) operator(s Settings, uid, submitter uint32) error {
	if t.trusts(uid) || uid == submitter {
		return nil
	}
	name := userName(uid)
	if isOperator(s.Operators, uid, name, groupsOf) {
		return nil
	}
	return &policyError{
		Code:    manifest.CodePolicyOwner,
		Message: fmt.Sprintf("the job belongs to %s, and %s is not among the operators", userName(submitter), name),
		Hint:    "ask an administrator to add to the daemon's configuration: operators: [" + name + "]",
	}
}

// isOperator reports whether operators name a user: by name, by number as users of a directory service have to be, or by a group, which
// has an @ before it. groupsOf is asked only where a group stands.
func isOperator(operators []string, uid uint32, name string, groupsOf func(uid uint32) []string) bool {
	for _, o := range operators {
		if group, is := strings.CutPrefix(o, "@"); is && slices.Contains(groupsOf(uid), group) {
			return true
		}
		if o == name || o == strconv.FormatUint(uint64(uid), 10) {
			return true
		}
	}
	return false
}

// groupsOf are the names of the groups of a user, as /etc/passwd and /etc/group have them now.
func groupsOf(uid uint32) []string {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return nil
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	var names []string
	for _, id := range ids {
		if g, err := user.LookupGroupId(id); err == nil {
			names = append(names, g.Name)
		}
	}
	return names
}

// under reports whether path is root or below it. Both are cleaned and absolute; symbolic links are dealt with where the file is
// opened.
func under(root, path string) bool {
	rel, err := filepath.Rel(filepath.Clean(root), filepath.Clean(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

// rootOf is the first of roots that path is or is below, "" if there is none.
func rootOf(roots []string, path string) string {
	for _, root := range roots {
		if under(root, path) {
			return root
		}
	}
	return ""
}

func refusePath(by author, path, key, dir string) error {
	why := "it belongs to " + userName(by.uid)
	if by.loose {
		why = "others than its owner may write to it (chmod go-w)"
	}
	return &policyError{
		Code: manifest.CodePolicyPath,
		Message: fmt.Sprintf("the manifest names %q, but %s, and only manifests of root or of the daemon's user may name any absolute path",
			path, why),
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
