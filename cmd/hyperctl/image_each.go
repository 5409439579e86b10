package main

import (
	"errors"
	"io"
	"iter"
)

// imageView is how what is found about images is printed.
type imageView[T any] struct {
	columns []column[T]              // of the table of several images; none prints each in full
	name    func(T) string           // what -o name prints
	write   func(w io.Writer, doc T) // for people, in full
}

// printImages looks at each image and prints what it found, a list when there are several. One that cannot be read is told on
// standard error and does not keep the others from being looked at; the first such failure decides the exit code.
func printImages[T any](con *console, v imageView[T], paths []string, look func(path string) (T, error)) error {
	if len(paths) == 1 {
		d, err := look(paths[0])
		if err != nil {
			return err
		}
		return con.printOne(d, v.name(d), func(w io.Writer) { v.write(w, d) })
	}
	var first *failure
	docs := func(yield func(T, error) bool) {
		for _, path := range paths {
			d, err := look(path)
			var f *failure
			switch {
			case errors.As(err, &f):
				con.printFailure(f)
				if first == nil {
					first = &failure{exit: f.exit, mute: true, what: f.what, err: err}
				}
			case !yield(d, err) || err != nil:
				return
			}
		}
	}
	if err := printEach(con, v, docs); err != nil {
		return err
	}
	if first != nil {
		return first
	}
	return nil
}

func printEach[T any](con *console, v imageView[T], docs iter.Seq2[T, error]) error {
	if con.opts.output.people() && len(v.columns) == 0 {
		return each(docs, func(d T) error { v.write(con.out, d); return nil })
	}
	return printAll(con, view[T]{columns: v.columns, name: v.name, doc: func(d T) any { return d }}, docs)
}
