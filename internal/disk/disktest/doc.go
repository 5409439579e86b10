// Package disktest holds what every image format is tested with: conformance suites for readers and writers, files that fail
// on purpose, images made in memory, the fixtures of other products, and qemu-img as an independent judge.
package disktest
