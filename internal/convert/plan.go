package convert

import (
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// Facts is what a look at the sources and the host found, the input of NewPlan. It holds no open files.
type Facts struct {
	Disks      []DiskFacts      `json:"disks"`
	Machine    *machine.Machine `json:"machine,omitempty"` // from OVF or VMX; nil for lone disks
	Libguestfs bool             `json:"libguestfs"`        // guest repairs can be made
}

// DiskFacts is what is known of one source disk before the run.
type DiskFacts struct {
	Name        string   `json:"name"`
	Format      string   `json:"format"` // as found by content
	Variant     string   `json:"variant,omitempty"`
	Creator     string   `json:"creator,omitempty"`
	Chain       []string `json:"chain,omitempty"` // files of the chain, top first, when there is more than one layer
	VirtualSize int64    `json:"virtual_size"`
	Allocated   int64    `json:"allocated"` // bytes of content that must be read; an upper bound of the data
	FileBytes   int64    `json:"file_bytes"`
	Blank       bool     `json:"blank,omitempty"`
}

// Plan is what a run will do, as --dry-run prints it and the report quotes it.
type Plan struct {
	Name     string             `json:"name"`
	Stages   []StagePlan        `json:"stages"`
	Disks    []DiskPlan         `json:"disks"`
	MaxBytes int64              `json:"max_bytes"` // upper bound of what is written
	Warnings []manifest.Warning `json:"warnings"`
}

// StagePlan is one stage of a Plan.
type StagePlan struct {
	Name string   `json:"name"`
	Does []string `json:"does,omitempty"`
	Skip string   `json:"skip,omitempty"` // why it is left out
}

// DiskPlan is one disk of a Plan.
type DiskPlan struct {
	Source      string `json:"source"`
	Output      string `json:"output"` // file name
	Format      string `json:"format"`
	Compression string `json:"compression,omitempty"` // zlib, zstd or "" for none
	Level       int    `json:"level,omitempty"`
	VirtualSize int64  `json:"virtual_size"`
	ReadBytes   int64  `json:"read_bytes"`
	MaxBytes    int64  `json:"max_bytes"`
}
