// Package sandbox takes from the calling process what it does not need, for good and for every program that it starts.
//
// What goes: every file that the Policy does not name (Landlock), every socket but unix ones (seccomp), the capabilities of root
// that a conversion has no use for, new privileges from set-user-id programs, core dumps. What a kernel cannot do is left out and
// named, so that the caller can say it; nothing else fails for it.
package sandbox
