package convert

import (
	"fmt"
	"io"
	"strings"
)

// Write prints the plan for people.
func (p Plan) Write(w io.Writer) error {
	var b strings.Builder
	title := "plan for " + p.Name
	if p.DryRun {
		title += " (dry run)"
	}
	fmt.Fprintln(&b, title)
	for _, s := range p.Stages {
		lines := s.Does
		if s.Skip != "" {
			lines = []string{"skipped: " + s.Skip}
		}
		name := s.Name
		for _, line := range lines {
			fmt.Fprintf(&b, "  %-9s %s\n", name, oneLine(line))
			name = ""
		}
	}
	if p.MaxBytes > 0 {
		fmt.Fprintf(&b, "writes at most %s\n", sizeText(p.MaxBytes))
	} else {
		fmt.Fprintln(&b, "how much is written is known when the sources are unpacked")
	}
	for _, warning := range p.Warnings {
		fmt.Fprintf(&b, "warning %s: %s\n", warning.Code, oneLine(warning.Message))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// step says in one line what is known of a source disk.
func (d DiskFacts) step() string {
	if d.Blank {
		return fmt.Sprintf("create a blank disk of %s", sizeText(d.VirtualSize))
	}
	if d.sealed() {
		return fmt.Sprintf("unpack %s: %s of %s", d.Name, sizeText(d.FileBytes), d.Packed)
	}
	format := d.Format
	if d.Packed != "" {
		format = d.Packed + " of " + format
	}
	if d.Variant != "" {
		format += " " + d.Variant
	}
	step := fmt.Sprintf("open %s: %s, %s, %s to read", d.Name, format, sizeText(d.VirtualSize), sizeText(d.Allocated))
	if len(d.Chain) > 1 {
		step += ", a chain of " + strings.Join(d.Chain, " on ")
	}
	return step
}

// step says in one line what becomes of a disk.
func (d DiskPlan) step() string {
	how := d.Format
	if d.Compression != "" {
		how += ", compressed with " + d.Compression
	}
	if d.MaxBytes == 0 {
		return fmt.Sprintf("%s -> %s: %s", d.Source, d.Output, how)
	}
	return fmt.Sprintf("%s -> %s: %s, at most %s", d.Source, d.Output, how, sizeText(d.MaxBytes))
}

// sizeText prints bytes in the largest binary unit that leaves at least one of it, with one decimal where it is not whole.
func sizeText(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	unit := int64(1024)
	for len(units) > 1 && n >= unit*1024 {
		unit, units = unit*1024, units[1:]
	}
	if n%unit == 0 {
		return fmt.Sprintf("%d %s", n/unit, units[0])
	}
	return fmt.Sprintf("%.1f %s", float64(n)/float64(unit), units[0])
}
