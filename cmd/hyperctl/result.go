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
	Warnings []struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"warnings"`
	Evidence []string `json:"evidence"` // of a failed boot test: file names below the workflow directory
}

// readResult reads the record of a job, as far as it can be read.
func readResult(j queue.Job) result {
	var r result
	if len(j.Record) > 0 && json.Unmarshal(j.Record, &r) != nil {
		return result{}
	}
	return r
}

// ended tells whether nothing more will come of a job.
func ended(j queue.Job) bool {
	return j.State == queue.Done || j.State == queue.Failed || j.State == queue.Ignored
}

// hintOf is what to do about a failed job, with its own name where the hint only says JOB, and that of a manifest where it says FILE.
func hintOf(j queue.Job) string {
	words := strings.Split(j.Hint, " ")
	for i, w := range words {
		if rest, ok := strings.CutPrefix(w, "JOB"); ok && strings.Trim(rest, ".,;") == "" {
			words[i] = quoteArg(jobKey(j)) + rest
		}
		if w == "FILE" && i > 0 && words[i-1] == "validate" && j.Kind == "manifest" && j.Path != "" {
			words[i] = quoteArg(j.Path)
		}
	}
	return strings.Join(words, " ")
}

// resultText says where the result of a job is, and what to type next. The record comes from the queue, and the names in it are
// looked at before they become part of a path.
func resultText(j queue.Job) string {
	if j.OutputDir == "" {
		return ""
	}
	r := readResult(j)
	s := ": " + clean(j.OutputDir)
	if len(r.Outputs) == 1 && plainName(r.Outputs[0].Output) {
		s = fmt.Sprintf(": %s (%s)", clean(filepath.Join(j.OutputDir, r.Outputs[0].Output)), bytesText(r.Outputs[0].Bytes))
	}
	if j.Warnings > 0 {
		s += "  " + count(j.Warnings, "warning", "warnings")
	}
	if next := nextText(j, r); next != "" {
		s += "  next: " + next
	}
	return s
}

// nextText is the command that takes over what a job made.
func nextText(j queue.Job, r result) string {
	if j.OutputDir == "" || !plainName(r.Name) {
		return ""
	}
	xml := filepath.Join(j.OutputDir, r.Name+".xml")
	if _, err := os.Stat(xml); err != nil {
		return ""
	}
	return "virsh define " + clean(quoteArg(xml))
}

// plainName tells whether a name is that of a file in a directory, and of nothing elsewhere.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsRune(name, '/')
}
