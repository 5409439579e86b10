// Package strictyaml reads YAML and JSON documents in which everything can be read in one way only, keeps the place of every
// value, and checks a document against a table of its keys.
//
// YAML offers several ways to surprise: aliases, merge keys, tags, several documents in one file, keys that stand twice, octal
// numbers. None of them is needed to describe a VM or a daemon, so all of them are refused, with line and column. JSON is read
// as JSON: a key that stands twice or a comma too many is a fault there as well.
//
// Parse gives a tree of Nodes, or Faults; a Shape is the table of keys that a mapping may have; Check compares the two and
// reports every difference at once.
package strictyaml
