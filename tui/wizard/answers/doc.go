// Package answers holds what a new manifest is going to say: the answers of one or several VMs, as a person gave them.
//
// What can be answered is the table of keys of the job config in package manifest, and nothing beside it: a key that is new there
// is a field here, with its text, its default and its flag. Answers are texts until they are written, so that what is wrong with
// one is said by manifest.Load in the words of every other manifest. What is not answered is not written, and the daemon decides.
package answers
