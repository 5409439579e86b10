package api

import (
	_ "embed" // the contract is part of the program
	"net/http"

	"hyper2kvm/schema"
)

//go:embed openapi.yaml
var contract []byte

// openapi answers with the contract of this API.
func (s *Server) openapi(w http.ResponseWriter, _ *http.Request) error {
	return document(w, "application/yaml", contract)
}

// schema answers with the JSON schema of manifests.
func (s *Server) schema(w http.ResponseWriter, _ *http.Request) error {
	return document(w, "application/schema+json", schema.Manifest())
}

func document(w http.ResponseWriter, kind string, b []byte) error {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(b) // the client went away
	return nil
}
