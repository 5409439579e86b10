package queue

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxName is the longest entry name: 255 bytes less `.error.json` and its history number, and `~NNN`. A longer one could be
// created but not have its records, which would be found out only after hours of work.
const maxName = 232

// The suffixes of the records that stand beside a finished entry.
const (
	suffixMeta   = ".meta.json"
	suffixError  = ".error.json"
	suffixReport = ".report.json"
	suffixJob    = ".job" // a job of several files is a directory with this suffix
)

// markerName is the file in a .job directory that says which loose files were put together there.
const markerName = ".hyper2kvm-members.json"

// submitPrefix begins the hidden names under which a client builds an entry in the drop zone.
const submitPrefix = ".hyper2kvm-submit-"

// unfinished are suffixes of files that some program is still downloading, editing or locking.
var unfinished = []string{
	".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download", ".swp", ".lock", ".ctl", ".mf.tmp",
}

// recordSuffixes are names that only the queue itself gives, in other directories.
var recordSuffixes = []string{suffixMeta, suffixError, suffixReport}

// hidden says whether a name is not even listed: dot files, which include the temporary names of rsync, NFS and submit.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || name == "" || name == "lost+found"
}

// ignoredName says why a visible name is never a job, "" when it may be one.
func ignoredName(name string) string {
	lower := strings.ToLower(name)
	for _, suffix := range recordSuffixes {
		if strings.HasSuffix(lower, suffix) {
			return "a record of the queue (*" + suffix + "), not a job"
		}
	}
	for _, suffix := range unfinished {
		if strings.HasSuffix(lower, suffix) {
			return "looks unfinished (*" + suffix + "); rename it when it is complete"
		}
	}
	switch {
	case strings.HasSuffix(name, "~"):
		return "an editor's backup (*~)"
	case len(name) > 1 && strings.HasPrefix(name, "#") && strings.HasSuffix(name, "#"):
		return "an editor's temporary file (#*#)"
	}
	return ""
}

// checkName says whether an entry may keep its name through all states. Errors are ErrName.
func checkName(name string) error {
	switch {
	case len(name) > maxName:
		return fmt.Errorf("%w: %d bytes long, at most %d", ErrName, len(name), maxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %q is not UTF-8", ErrName, name)
	}
	for _, r := range name {
		if r < 0x20 || r >= 0x7f && r <= 0x9f || r == '\u2028' || r == '\u2029' {
			return fmt.Errorf("%w: %q has control characters", ErrName, name)
		}
	}
	return nil
}

// CheckKey says whether a word from outside may name a job: an id, or the name that an entry may have. Errors are ErrName.
func CheckKey(key string) error {
	if isID(key) {
		return nil
	}
	return errors.Join(checkOwnName(key), checkName(key))
}

// checkOwnName says whether a name read from a record of ours is one plain name, so that it can be joined to a path.
func checkOwnName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}

// splitExt cuts a name into stem and extension (with its dot). A leading dot begins no extension, and neither does a dot that is
// followed by something that no extension looks like.
func splitExt(name string) (stem, ext string) {
	ext = filepath.Ext(name)
	if ext == name || len(ext) < 2 || len(ext) > 10 || strings.ContainsAny(ext, " ~") {
		return name, ""
	}
	return name[:len(name)-len(ext)], ext
}

// JobIDOf is the job_id of what has a name: its stem.
func JobIDOf(name string) string { return jobIDOf(name) }

// jobIDOf is the stem of a name, by which people call a job.
func jobIDOf(name string) string {
	stem, _ := splitExt(name)
	return stem
}

// numbered is the n-th choice for a name: x.vmdk, x~2.vmdk, x~3.vmdk ...
func numbered(name string, n int) string {
	if n <= 1 {
		return name
	}
	stem, ext := splitExt(name)
	return stem + "~" + strconv.Itoa(n) + ext
}

// unnumbered takes the ~N away that numbered put into a name.
func unnumbered(name string) string {
	stem, ext := splitExt(name)
	i := strings.LastIndexByte(stem, '~')
	if i <= 0 {
		return name
	}
	if n, err := strconv.Atoi(stem[i+1:]); err != nil || n < 2 {
		return name
	}
	return stem[:i] + ext
}

// safeName is the name under which a refused entry is kept: by its id, with its extension when that is harmless, so that a
// person who renames it back gets something of the right kind.
func safeName(id, name string) string {
	_, ext := splitExt(name)
	for i := 1; i < len(ext); i++ {
		c := ext[i] | 0x20
		if (c < 'a' || c > 'z') && (ext[i] < '0' || ext[i] > '9') {
			return "job-" + id
		}
	}
	return "job-" + id + ext
}

// keepName splits a name into what JSON can hold and, when that is not all of it, its bytes in base64.
func keepName(name string) (text, b64 string) {
	if utf8.ValidString(name) {
		return name, ""
	}
	return strings.ToValidUTF8(name, "\uFFFD"), base64.StdEncoding.EncodeToString([]byte(name))
}

// original is the name that an entry was dropped with, byte for byte.
func (r Record) original() string {
	if b, err := base64.StdEncoding.DecodeString(r.OriginalB64); err == nil && len(b) > 0 && checkOwnName(string(b)) == nil {
		return string(b)
	}
	return r.OriginalName
}
