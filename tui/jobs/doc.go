// Package jobs reads a workflow directory for a screen: an index of the names of all jobs, and everything about the few that are
// shown.
//
// A directory is listed again only when it changed, and the longer a listing takes the rarer it is, so that 100,000 jobs cost
// about as much as a hundred. Records of finished jobs are read when they come onto the screen, and remembered.
package jobs
