package disk

import (
	"context"
	"fmt"
)

// MaxProblems is how many problems Findings keeps: enough to see what happened, and bounded whatever the image.
const MaxProblems = 100

// Findings is what a look at the structure of one layer of an image found, its content apart.
type Findings struct {
	Units      int64   // clusters, grains or blocks of the disk; 0 where there are none, as in a flat file
	Stored     int64   // of them stored in this layer
	Compressed int64   // of those compressed
	Leaks      int64   // host clusters that are counted and used by nothing: a waste of space, and no problem
	Problems   []error // what is wrong, the first MaxProblems in the order in which they were found, each an *Error
	More       int64   // problems beyond these
}

// Clean reports whether nothing is wrong.
func (f Findings) Clean() bool { return len(f.Problems) == 0 }

// Err is an ErrCorrupt that wraps the first problem and counts the others, or nil.
func (f Findings) Err() error {
	if f.Clean() {
		return nil
	}
	detail := ""
	if n := int64(len(f.Problems)) - 1 + f.More; n > 0 {
		detail = fmt.Sprintf("%d more problems after this", n)
	}
	return &Error{Op: "check", Off: -1, Kind: ErrCorrupt, Detail: detail, Err: f.Problems[0]}
}

// Problem adds one.
func (f *Findings) Problem(err error) {
	if len(f.Problems) == MaxProblems {
		f.More++
		return
	}
	f.Problems = append(f.Problems, err)
}

// Checker is an Image that can check its structure.
type Checker interface {
	// Check looks whether the tables and data of the image's own layer lie in the file, do not overlap and are counted right. It
	// reads tables and no content, needs bounded memory and changes nothing. What is wrong are Findings; the error says why the
	// check could not be made, and the Findings until then are good.
	Check(ctx context.Context) (Findings, error)
}
