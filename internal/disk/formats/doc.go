// Package formats holds the one list of image formats: it finds out what a file is, opens it with its whole chain, and makes
// writers.
package formats
