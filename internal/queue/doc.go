// Package queue is the workflow directory as a queue: it knows which entries are ready, claims, finishes and recovers jobs,
// and lists them for every client.
//
// A job is one entry in exactly one state directory, and every transition is one rename:
//
//	to_be_processed/ --Claim--> processing/ --Done--> processed/<date>/   (+ <name>.meta.json, the commit)
//	      ^                          |------Fail--> failed/<date>/      (+ <name>.error.json, the commit)
//	      '--------- Requeue --------'
//
// What a job asks for and what came of it is opaque here: an Intake says what belongs to an entry, and the fields of the
// records come from the caller. Only one process, the daemon, holds the lock and changes states; clients read the tree, add
// entries to to_be_processed/ and put requests into .hyper2kvm/control/. README.md beside this file is the protocol.
package queue
