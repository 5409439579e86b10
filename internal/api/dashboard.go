package api

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"hyper2kvm/internal/manifest"
)

// nonceMark is what index.html holds where the nonce of its style elements belongs.
const nonceMark = "__CSP_NONCE__"

// pagePolicy is the content security policy of the dashboard: its own scripts and data, and styles with the nonce of the answer.
func pagePolicy(nonce string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce + "'; connect-src 'self'; img-src 'self' data:; " +
		"font-src 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}

// toDashboard sends who comes to the root of the server on.
func (s *Server) toDashboard(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/web/dashboard/", http.StatusSeeOther)
	return nil
}

// dashboard answers with a built file of the dashboard, or for the path of one of its pages with the page that shows all of them.
func (s *Server) dashboard(w http.ResponseWriter, r *http.Request) error {
	if s.o.Dashboard == nil {
		return newProblem(http.StatusNotFound, manifest.CodeAPIMissing, "this program was built without the dashboard").
			hint("the REST API is there: /api/openapi.yaml lists it")
	}
	name := r.PathValue("path")
	if name == "" || path.Ext(name) == "" {
		return s.page(w)
	}
	if !fs.ValidPath(name) {
		return noRoute(r)
	}
	packed := strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	b, err := s.asset(w, name, packed)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return noRoute(r)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	h.Add("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, "assets/") { // their names hold a hash of what is in them
		h.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	_, _ = w.Write(b) // the client went away
	return nil
}

// asset reads a built file, as it was packed with gzip beforehand where that is wanted and there.
func (s *Server) asset(w http.ResponseWriter, name string, packed bool) ([]byte, error) {
	if packed {
		b, err := readAsset(s.o.Dashboard, name+".gz")
		if err == nil {
			w.Header().Set("Content-Encoding", "gzip")
			return b, nil
		}
	}
	return readAsset(s.o.Dashboard, name)
}

func readAsset(files fs.FS, name string) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(fs.ErrNotExist, err)
	}
	return io.ReadAll(f)
}

// page answers with index.html, each time with another nonce.
func (s *Server) page(w http.ResponseWriter) error {
	b, err := readAsset(s.o.Dashboard, "index.html")
	if err != nil {
		return newProblem(http.StatusNotFound, manifest.CodeAPIMissing, "the dashboard in this program has no index.html")
	}
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", pagePolicy(nonce))
	_, _ = w.Write(bytes.ReplaceAll(b, []byte(nonceMark), []byte(nonce))) // the client went away
	return nil
}
