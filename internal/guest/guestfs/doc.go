// Package guestfs looks into the disks of a VM through one libguestfs appliance: it is the only package that knows libguestfs.
//
// A Session is a guestfish process that lives as long as the appliance and takes commands on its standard input, one at a time. After
// each command it is told to echo a marker that nothing in a guest can guess: what stands before it on the standard output is the
// command's output, and what has come on the standard error by then is the command's error. Commands are prefixed with "-", so that an
// error does not end the process.
//
// Names and arguments are quoted for guestfish's parser (fish/fish.c: parse_command_line, parse_quoted_string, parse_string_list). It
// reads lines of at most 8191 bytes and takes the rest of a longer one as the next command, so longer ones are never sent.
//
// A call costs about a millisecond where the daemon in the appliance answers it itself, and a hundred where it starts a process or moves
// a file. So small files are read and written by calls, and only large ones are moved.
package guestfs
