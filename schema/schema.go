// Package schema holds the JSON schema of manifests, for editors and for clients that check before they submit.
package schema

import (
	_ "embed"
	"slices"
)

//go:embed manifest-v1.schema.json
var manifest []byte

// Manifest returns the JSON schema (draft-07) of every dialect of manifests.
func Manifest() []byte { return slices.Clone(manifest) }
