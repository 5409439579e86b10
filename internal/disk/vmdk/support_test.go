package vmdk

import (
	"strings"
	"testing"

	"hyper2kvm/internal/disk/disktest"
)

// folder is a directory in memory that holds what an image may name.
type folder = disktest.Folder

// openIn opens a file of the folder with everything in it in reach. It fails the test if a file stays open.
func openIn(tb testing.TB, d folder, name string) (*Image, error) {
	tb.Helper()
	return disktest.OpenIn(tb, Open, formatName, name, d.Open, nil)
}

// containsAll says whether a text has all these words.
func containsAll(text string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}
