package main

import (
	"bufio"
	"io"
	"strings"
)

// lineWriter buffers a long output.
type lineWriter struct{ w *bufio.Writer }

// outputBuffer is how much is gathered before a write: a list of 100,000 jobs costs some hundred system calls.
const outputBuffer = 64 << 10

func newLineWriter(w io.Writer) lineWriter { return lineWriter{bufio.NewWriterSize(w, outputBuffer)} }

// put writes text. bufio keeps the first error and returns it from every later call, so that a row is abandoned at its next
// write at the latest.
func (l lineWriter) put(text ...string) error {
	for _, s := range text {
		if _, err := l.w.WriteString(s); err != nil {
			return err
		}
	}
	return nil
}

func (l lineWriter) flush() error { return l.w.Flush() }

// table prints rows in aligned columns. The first sampleRows rows decide how wide the columns are; later rows that need more
// push their line to the right, so that memory does not grow with the list.
type table[T any] struct {
	w       lineWriter
	style   style
	columns []column[T]
	header  bool
	widths  []int
	sample  [][]cell
	flushed bool
	row     []cell // reused once the sample is printed
}

type cell struct {
	text, color string
}

const sampleRows = 512

func newTable[T any](w lineWriter, c *console, columns []column[T]) *table[T] {
	t := &table[T]{w: w, style: c.style, header: !c.opts.noHeaders}
	for _, col := range columns {
		if !col.wide || c.opts.output == outWide {
			t.columns = append(t.columns, col)
		}
	}
	t.widths, t.row = make([]int, len(t.columns)), make([]cell, len(t.columns))
	return t
}

func (t *table[T]) add(row T) error {
	cells := t.row
	if !t.flushed {
		cells = make([]cell, len(t.columns))
	}
	for i, col := range t.columns {
		cells[i].text, cells[i].color = col.cell(row)
		if cells[i].text == "" {
			cells[i].text = "-"
		}
	}
	if t.flushed {
		return t.print(cells)
	}
	t.sample = append(t.sample, cells)
	if len(t.sample) == sampleRows {
		return t.flush()
	}
	return nil
}

// flush prints what was held back to find the widths. A table without rows has no header either: the caller says that there
// is nothing.
func (t *table[T]) flush() error {
	if t.flushed || len(t.sample) == 0 {
		return nil
	}
	t.flushed = true
	head := make([]cell, len(t.columns))
	for i, col := range t.columns {
		head[i] = cell{col.title, bold}
		if t.header {
			t.widths[i] = width(col.title)
		}
	}
	for _, cells := range t.sample {
		for i := range cells {
			t.widths[i] = max(t.widths[i], width(cells[i].text))
		}
	}
	if t.header {
		if err := t.print(head); err != nil {
			return err
		}
	}
	for _, cells := range t.sample {
		if err := t.print(cells); err != nil {
			return err
		}
	}
	t.sample = nil
	return nil
}

const padding = "                                                                "

func (t *table[T]) print(cells []cell) error {
	between := ""
	for i, c := range cells {
		gap := blanks(t.widths[i] - width(c.text))
		text := t.style.paint(c.color, c.text)
		var err error
		switch {
		case t.columns[i].right:
			err = t.w.put(between, gap, text)
		case i < len(cells)-1:
			err = t.w.put(between, text, gap)
		default:
			err = t.w.put(between, text)
		}
		if err != nil {
			return err
		}
		between = "  "
	}
	return t.w.put("\n")
}

// blanks returns n blanks, without allocating for the usual widths.
func blanks(n int) string {
	switch {
	case n <= 0:
		return ""
	case n <= len(padding):
		return padding[:n]
	}
	return strings.Repeat(" ", n)
}
