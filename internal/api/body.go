package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"hyper2kvm/internal/manifest"
)

// maxBody bounds every body: a manifest is some hundred lines, and disks are copied, not posted.
const maxBody = 1 << 20

// tooMuch is the problem of a body that is larger than that.
func tooMuch(limit int64) *problem {
	return newProblem(http.StatusRequestEntityTooLarge, manifest.CodeAPIUpload,
		"the body is larger than %d bytes: only manifests are posted; disks are copied into the drop zone, or named by their path in a manifest", limit)
}

// bodyOf reads a body of one of the given types.
func bodyOf(w http.ResponseWriter, r *http.Request, types ...string) (kind string, b []byte, err error) {
	kind, _, err = mime.ParseMediaType(r.Header.Get("Content-Type"))
	ok := false
	for _, t := range types {
		ok = ok || err == nil && kind == t
	}
	switch {
	case ok:
	case kind == "multipart/form-data", kind == "application/octet-stream", strings.HasPrefix(kind, "image/"), strings.HasPrefix(kind, "application/x-") && kind != "application/x-www-form-urlencoded":
		return "", nil, newProblem(http.StatusUnsupportedMediaType, manifest.CodeAPIUpload,
			"disks are not uploaded: an upload has no holes, cannot be resumed and is kept twice. Copy the disk into the drop zone, or name its path in a manifest")
	default:
		return "", nil, newProblem(http.StatusUnsupportedMediaType, manifest.CodeAPIUpload, "the header Content-Type is %q; it is %s here", short(r.Header.Get("Content-Type")), strings.Join(types, " or "))
	}
	if r.ContentLength > maxBody {
		return "", nil, tooMuch(maxBody)
	}
	b, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if large, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return "", nil, tooMuch(large.Limit)
		}
		return "", nil, badRequest("the body ends too early: %s", printable(err.Error()))
	}
	return kind, b, nil
}

// readJSON reads a small JSON body into v. Unknown fields are refused: a misspelt one would be left out in silence.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	_, b, err := bodyOf(w, r, "application/json")
	if err != nil {
		return err
	}
	return parse(b, v)
}

// maybeJSON is readJSON for a body that may be left out.
func maybeJSON(w http.ResponseWriter, r *http.Request, v any) error {
	if r.ContentLength == 0 {
		return nil
	}
	return readJSON(w, r, v)
}

func parse(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return badRequest("the body is not what was expected: %s", printable(err.Error()))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("something follows the body's JSON")
	}
	return nil
}
