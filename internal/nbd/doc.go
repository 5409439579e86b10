// Package nbd serves a disk image to other programs of this host, read-only, by the NBD protocol over a unix socket.
//
// The protocol is doc/proto.md of github.com/NetworkBlockDevice/nbd; the files here are named after its sections, and names in the
// comments are its own. All numbers are big endian. A connection has two phases:
//
//	server                            client
//	NBDMAGIC IHAVEOPT flags(16) -->
//	                            <--   flags(32)
//	                            <--   IHAVEOPT option(32) length(32) data      } option haggling,
//	magic option type length data --> (one or several)                          } any number of times
//	                            <--   NBD_OPT_GO or NBD_OPT_EXPORT_NAME: the transmission begins
//	                            <--   request: magic flags(16) type(16) cookie(64) offset(64) length(32)
//	reply: simple, or structured chunks -->                                      (in any order)
//
// Served are the fixed newstyle handshake, structured replies and the metadata context base:allocation, so that a client that asks
// where data is never reads a hole, and one that reads a hole gets its length and no zeroes. There is one export, the one without
// a name. Refused are TLS, extended headers and everything that writes.
//
// The client is hostile input: lengths are bounded before anything is allocated or read, offsets are compared with the size without
// overflow, and the requests that one connection may have under way, and the connections, are counted.
package nbd
