// Package daemon runs the queue: it decides what an entry is, keeps a pool of workers busy, supervises a child process for
// every job, and publishes what it does.
//
//	intake.go      what an entry is and which files belong to it (the queue's Intake)
//	scheduler.go   claims what is ready while a worker is free
//	job.go         one claimed job, from the claim to processed/ or failed/
//	child.go       the process that runs a job; protocol.go is the language between the two
//	reserve.go     space that running jobs may still write
//	control.go     requests of clients: cancel, retry, drain ...
//	heartbeat.go   status.json
//	trust.go       which absolute paths a manifest may name
//	retention.go   finished jobs that have had their time
//	webhook.go     who is told of jobs that end
//	watched.go     signs of life for the service manager
package daemon
