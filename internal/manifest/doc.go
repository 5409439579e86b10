// Package manifest holds the documents that cross the border of the program: the job a person asks for, in three dialects of
// YAML and JSON, the report that answers it, and the table of every error code.
//
// Load reads a document of any dialect strictly into Drafts, in which absent is not false; Resolve fills a Draft's gaps with
// defaults and gives a Job, which has an answer for every question. Nothing outside this package knows the dialects.
package manifest
