package api

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// exposition writes metrics in the text format of Prometheus, version 0.0.4: each family with its help and type, then its samples.
type exposition struct {
	b    bytes.Buffer
	name string
}

var escapeHelp = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

var escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// family begins the metrics of one name. kind is counter, gauge or histogram.
func (x *exposition) family(name, kind, help string) {
	x.name = name
	fmt.Fprintf(&x.b, "# HELP %s %s\n# TYPE %s %s\n", name, escapeHelp.Replace(help), name, kind)
}

// sample writes one value; labels are names and values in turn.
func (x *exposition) sample(suffix string, v float64, labels ...string) {
	x.b.WriteString(x.name + suffix)
	for i := 0; i+1 < len(labels); i += 2 {
		before := ","
		if i == 0 {
			before = "{"
		}
		x.b.WriteString(before + labels[i] + `="` + escapeLabel.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD")) + `"`)
	}
	if len(labels) > 0 {
		x.b.WriteByte('}')
	}
	x.b.WriteByte(' ')
	x.b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	x.b.WriteByte('\n')
}

// histogram writes the samples of a histogram.
func (x *exposition) histogram(h *histogram, labels ...string) {
	total := uint64(0)
	for i, bound := range h.bounds {
		total += h.counts[i]
		x.sample("_bucket", float64(total), append(slices.Clone(labels), "le", strconv.FormatFloat(bound, 'g', -1, 64))...)
	}
	x.sample("_bucket", float64(h.count), append(slices.Clone(labels), "le", "+Inf")...)
	x.sample("_sum", h.sum, labels...)
	x.sample("_count", float64(h.count), labels...)
}

func (x *exposition) bytes() []byte { return x.b.Bytes() }

// histogram counts values by upper bounds.
type histogram struct {
	bounds []float64
	counts []uint64 // of values up to the bound and above the one before
	count  uint64
	sum    float64
}

func newHistogram(bounds []float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]uint64, len(bounds))}
}

func (h *histogram) add(v float64) {
	if i, _ := slices.BinarySearch(h.bounds, v); i < len(h.counts) {
		h.counts[i]++
	}
	h.count++
	h.sum += v
}

// sortedKeys are the keys of a map in an order, so that two expositions of the same values are the same.
func sortedKeys[K comparable, V any](m map[K]V, less func(a, b K) bool) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b K) int {
		switch {
		case less(a, b):
			return -1
		case less(b, a):
			return 1
		}
		return 0
	})
	return keys
}
