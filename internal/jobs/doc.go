// Package jobs reads a workflow directory for screens and for the REST API: an index of the names of all jobs, and everything about
// the few that are shown.
//
// A directory is listed again only when it changed, and the longer a listing takes the rarer it is, so that 100,000 jobs cost
// about as much as a hundred. Records of finished jobs are read when they are shown, and remembered.
package jobs
