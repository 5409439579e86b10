package vmdk

import (
	"bytes"
	"regexp"
	"strings"
)

// byteOrderMark is what editors on Windows put before a UTF-8 text.
const byteOrderMark = "\xef\xbb\xbf"

// The first bytes of the binary files.
const (
	magicSparse   = "KDMV"
	magicCOWD     = "COWD"
	magicSESparse = "\xbe\xba\xfe\xca\x00\x00\x00\x00"
)

// versionLine is the first line of a descriptor that is not a comment.
var versionLine = regexp.MustCompile(`(?i)^"?version"?[ \t]*=[ \t]*"?[0-9]+"?[ \t]*$`)

// Probe says whether a file that begins with head, of which up to 64 KiB are looked at, is a VMDK of any kind: an extent
// with a header, whether this package reads it or not, or a descriptor in one of the shapes that programs write.
func Probe(head []byte) bool {
	for _, magic := range []string{magicSparse, magicCOWD, magicSESparse} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return true
		}
	}
	return probeText(head)
}

// probeText looks for the words of a descriptor's first comment, or, where that is missing, for the version line followed
// by a CID or a createType.
func probeText(head []byte) bool {
	head = head[:min(len(head), probeSize)]
	if i := bytes.IndexByte(head, 0); i >= 0 {
		head = head[:i]
	}
	versioned := false
	for line := range strings.SplitSeq(strings.TrimPrefix(string(head), byteOrderMark), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
		case line[0] == '#':
			comment := strings.ToLower(strings.TrimSpace(line[1:]))
			if strings.HasPrefix(comment, "disk descriptorfile") || strings.HasPrefix(comment, createdBy) {
				return true
			}
		case versionLine.MatchString(line):
			versioned = true
		default:
			key, _, ok := strings.Cut(line, "=")
			switch strings.ToLower(unquote(strings.TrimSpace(key))) {
			case "cid", "parentcid", "createtype":
				return ok && versioned
			case "encoding", "version":
			default:
				return false
			}
		}
	}
	return false
}
