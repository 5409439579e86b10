// Package api serves the workflow directory over HTTP: the REST API, its events, the metrics and the dashboard of hyperctl serve.
//
// It is one more client of the directory. It reads the tree, renames manifests into to_be_processed/ and puts requests into
// .hyper2kvm/control/; the daemon neither knows nor needs it. Every route is in the list in routes.go, and openapi.yaml beside it
// is the contract, against which the tests hold every response.
package api
