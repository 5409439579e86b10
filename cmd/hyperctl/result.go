package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hyper2kvm/internal/queue"
)

// result is what clients read of the record of a job that is done.
type result struct {
	Name    string `json:"name"` // of the VM
	Outputs []struct {
		Output string `json:"output"` // file name
		Bytes  int64  `json:"output_bytes"`
	} `json:"outputs"`
}

// ended tells whether nothing more will come of a job.
func ended(j queue.Job) bool {
	return j.State == queue.Done || j.State == queue.Failed || j.State == queue.Ignored
}

// resultText says where the result of a job is, and what to type next. The record comes from the queue, and the names in it are
// looked at before they become part of a path.
func resultText(j queue.Job) string {
	if j.OutputDir == "" {
		return ""
	}
	var r result
	if len(j.Record) > 0 && json.Unmarshal(j.Record, &r) != nil {
		r = result{}
	}
	s := ": " + clean(j.OutputDir)
	if len(r.Outputs) == 1 && plainName(r.Outputs[0].Output) {
		s = fmt.Sprintf(": %s (%s)", clean(filepath.Join(j.OutputDir, r.Outputs[0].Output)), bytesText(r.Outputs[0].Bytes))
	}
	if j.Warnings > 0 {
		s += "  " + count(j.Warnings, "warning", "warnings")
	}
	if xml := filepath.Join(j.OutputDir, r.Name+".xml"); plainName(r.Name) {
		if _, err := os.Stat(xml); err == nil {
			s += "  next: virsh define " + clean(quoteArg(xml))
		}
	}
	return s
}

// plainName tells whether a name is that of a file in a directory, and of nothing elsewhere.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsRune(name, '/')
}
