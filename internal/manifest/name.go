package manifest

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hyper2kvm/internal/strictyaml"
)

// ErrName is the kind of ValidName's errors.
var ErrName = errors.New("name is not allowed")

const (
	// MaxName is the length of a VM name in bytes: with -disk999.qcow2 or .error.json behind it, a file name still has its 255.
	MaxName = 200
	// maxFileName is the length of a file name, and maxPath of a path, on Linux.
	maxFileName = 255
	maxPath     = 4096
)

// sourceTypes are the kinds of sources by their extension, and what a manifest may say that a source is.
var sourceTypes = []string{"vmdk", "ova", "ovf", "vhd", "vhdx", "raw", "img", "ami", "qcow2", "vdi", "vmx"}

// stems are the extensions that are not part of a VM's name.
var stems = append([]string{"avhd", "avhdx", "yaml", "yml", "json", "job"}, sourceTypes...)

// formatOf gives the output format that a file name's extension stands for.
var formatOf = map[string]string{".qcow2": FormatQcow2, ".raw": FormatRaw, ".img": FormatRaw, ".vdi": FormatVDI, ".vmdk": FormatVMDK}

// nameFault says what is wrong with a name that becomes a file, a directory and a domain: "" if nothing is.
func nameFault(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case len(name) > MaxName:
		return fmt.Sprintf("it has %d bytes; %d are allowed", len(name), MaxName)
	case !utf8.ValidString(name):
		return "it is not UTF-8 text"
	case strings.ContainsAny(name, `/\`):
		return "it holds a slash or backslash"
	case strings.IndexFunc(name, invisible) >= 0:
		return "it holds a control character or an invisible one"
	case name[0] == '.' || name[0] == '-':
		return "it begins with a dot or a dash"
	case strings.TrimSpace(name) != name:
		return "it begins or ends with a blank"
	}
	return ""
}

// invisible reports characters that a terminal obeys or nobody sees.
func invisible(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == utf8.RuneError
}

// ValidName returns nil if name can be the name of a VM and of its output: UTF-8 of at most MaxName bytes without slashes,
// control and invisible characters, that begins with neither dot nor dash and has no blanks around it. The error is an ErrName.
func ValidName(name string) error {
	if fault := nameFault(name); fault != "" {
		return fmt.Errorf("%w: %s: %s", ErrName, strictyaml.Quote(name), fault)
	}
	return nil
}

// compressed are the extensions of files that are compressed as a whole.
var compressed = []string{".gz", ".xz", ".zst", ".bz2"}

// NameFor returns the VM name for a file: its name without directories and without the extension of an image, package or
// manifest, compressed or not, with an underscore for everything that ValidName refuses.
func NameFor(file string) string {
	name := path.Base(strings.ReplaceAll(file, `\`, "/"))
	if ext := path.Ext(name); len(ext) < len(name) && slices.Contains(compressed, strings.ToLower(ext)) {
		name = name[:len(name)-len(ext)]
	}
	if ext := path.Ext(name); ext != "" && len(ext) < len(name) && slices.Contains(stems, strings.ToLower(ext[1:])) {
		name = name[:len(name)-len(ext)]
	}
	return cleanName(name)
}

// cleanName makes a valid name of any text.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || invisible(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	for len(name) > MaxName {
		_, n := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-n]
	}
	name = strings.TrimSpace(name)
	if name == "" {
		return "vm"
	}
	if name[0] == '.' || name[0] == '-' {
		name = "_" + name[1:]
	}
	return name
}

// refusal says why a path is not taken: one of the policy codes, "" for a path that is taken.
type refusal struct{ code, message, hint string }

// checkSource checks the path of a source: a plain name of a file beside the manifest, or an absolute path.
func checkSource(s string) refusal {
	if r := checkPath(s); r.code != "" || strings.HasPrefix(s, "/") {
		return r
	}
	if strings.Contains(s, "/") {
		return refusal{CodePolicyPath, strictyaml.Quote(s) + " is a path that depends on where it is read",
			"write the plain name of a file beside the manifest, or an absolute path"}
	}
	return checkFileName(s)
}

// checkAbsolute checks the path of a directory or file to write.
func checkAbsolute(s string) refusal {
	if r := checkPath(s); r.code != "" {
		return r
	}
	if !strings.HasPrefix(s, "/") {
		return refusal{CodePolicyPath, strictyaml.Quote(s) + " is not an absolute path", "begin with a slash"}
	}
	return refusal{}
}

// checkFileName checks a name that stands in a directory of ours or beside the manifest.
func checkFileName(s string) refusal {
	switch {
	case s[0] == '.' || s[0] == '-':
		return refusal{CodePolicyName, strictyaml.Quote(s) + " begins with a dot or a dash", "rename the file"}
	case strings.TrimSpace(s) != s:
		return refusal{CodePolicyName, strictyaml.Quote(s) + " begins or ends with a blank", "rename the file"}
	}
	return refusal{}
}

// checkPath checks what holds for all paths: nothing that climbs, that a tool could take for something other than a path, or
// that a terminal obeys.
func checkPath(s string) refusal {
	q := strictyaml.Quote(s)
	switch {
	case s == "":
		return refusal{CodePolicyName, "the path is empty", ""}
	case len(s) >= maxPath:
		return refusal{CodePolicyName, fmt.Sprintf("the path has %d bytes; %d are allowed", len(s), maxPath-1), ""}
	case !utf8.ValidString(s) || strings.IndexFunc(s, invisible) >= 0:
		return refusal{CodePolicyName, q + " holds a control character or an invisible one", "rename the file"}
	case len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/'), strings.HasPrefix(s, `\\`):
		return refusal{CodePolicyPath, q + " is a path on Windows", "copy the file here and write its name"}
	case strings.Contains(s, `\`):
		return refusal{CodePolicyName, q + " holds a backslash", "rename the file"}
	case protocol(s):
		return refusal{CodePolicyPath, q + " is not a path of a file", "URLs and protocol prefixes are not taken; write the name of a file"}
	}
	for part := range strings.SplitSeq(s, "/") {
		switch {
		case part == "..":
			return refusal{CodePolicyPath, q + " climbs with ..", "write the path without .."}
		case len(part) > maxFileName:
			return refusal{CodePolicyName, fmt.Sprintf("%s holds a name of %d bytes; %d are allowed", q, len(part), maxFileName), ""}
		}
	}
	return refusal{}
}

// protocol reports whether s begins as in nbd: or json:, which tools read as the name of something other than a file: a
// letter, letters, digits, +, - and dots, and a colon.
func protocol(s string) bool {
	head, _, found := strings.Cut(s, ":")
	if !found || head == "" {
		return false
	}
	for i, r := range head {
		letter := (r|0x20) >= 'a' && (r|0x20) <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", r)) {
			return false
		}
	}
	return true
}
