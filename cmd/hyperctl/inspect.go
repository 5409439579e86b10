package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/guestfs"
	"hyper2kvm/internal/guest/linux"
	"hyper2kvm/internal/manifest"
)

func newInspect(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "inspect IMAGE|FOLDER|MANIFEST|JOB...",
		Short: "Show the guest inside disks: system, kernels, boot loader, file systems, network",
		Long: `inspect opens the disks of a VM together, on an overlay, and shows the system that is in them and whether it starts on virtio.
Nothing is written to the disks. Without KVM it takes about half a minute.`,
		Example: `  hyperctl inspect web01.vmdk
  hyperctl inspect web01.yaml -o json`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: con.completeFilesAndJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runInspect(cmd.Context(), con, args)
		},
	}
}

// inspectDoc is a guest in JSON and YAML.
type inspectDoc struct {
	Name     string             `json:"name"`
	System   any                `json:"system,omitempty"`
	Virtio   any                `json:"virtio,omitempty"`
	Disks    any                `json:"disks,omitempty"`
	Machine  any                `json:"machine,omitempty"`
	Warnings []manifest.Warning `json:"warnings"`
}

// inspectRow is a guest in TSV.
type inspectRow struct {
	Name     string `json:"name"`
	System   string `json:"system"`
	Arch     string `json:"arch"`
	Host     string `json:"host"`
	Packages string `json:"packages"`
	Firmware string `json:"firmware"`
	Virtio   string `json:"virtio"`
	Warnings int    `json:"warnings"`
}

// row implements tabular: what the guest is, in one line.
func (d inspectDoc) row() any {
	r := inspectRow{Name: d.Name, Warnings: len(d.Warnings)}
	if sys, ok := d.System.(guest.System); ok {
		r.System, r.Arch, r.Host, r.Packages = sys.Name, sys.Arch, sys.Host, sys.Packages
	}
	if facts, ok := d.Disks.(guest.Facts); ok {
		r.Firmware = facts.Firmware
	}
	if v, ok := d.Virtio.(linux.Readiness); ok {
		r.Virtio = v.Why
	}
	return r
}

func runInspect(ctx context.Context, con *console, args []string) error {
	found, err := con.look(ctx, args, func(j *manifest.Job) {
		j.Inspect = manifest.Inspect{Enabled: true, DetectOS: true}
		j.Fix, j.Check.BootTest = manifest.Fix{KeyFile: j.Fix.KeyFile}, false
	})
	if err != nil {
		return err
	}
	docs := make([]inspectDoc, len(found))
	_, missing := guestfs.Available(ctx)
	for i, l := range found {
		docs[i] = inspectDoc{
			Name: l.name, System: l.Report.System, Virtio: l.Report.Virtio, Disks: l.Report.Guest, Machine: l.Report.Machine, Warnings: l.Report.Warnings,
		}
		if missing != nil { // then nobody looked, which is another thing than that nothing is there
			docs[i].Warnings = append(docs[i].Warnings, manifest.Warning{
				Code: manifest.CodeFixUnavailable, Stage: convert.StageInspect, Message: "the guest was not looked into: " + missing.Error(), Hint: "hyperctl doctor",
			})
		}
	}
	return con.printOne(docs, "", func(w io.Writer) {
		for i, d := range docs {
			if i > 0 {
				fmt.Fprintln(w)
			}
			d.write(w, con.style)
		}
	})
}

// write prints a guest for people.
func (d inspectDoc) write(w io.Writer, s style) {
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-10s %s\n", name, cleanLine(value))
		}
	}
	row("VM", s.paint(bold, clean(d.Name)))
	if facts, ok := d.Disks.(guest.Facts); ok {
		row("Firmware", strings.TrimSuffix(facts.Firmware+" ("+facts.Why+")", " ()"))
		for i, disk := range facts.Disks {
			row(fmt.Sprintf("Disk %d", i+1), diskLine(disk))
		}
	}
	if sys, ok := d.System.(guest.System); ok {
		writeSystem(row, sys)
	} else {
		row("System", d.noSystem())
	}
	if v, ok := d.Virtio.(linux.Readiness); ok {
		row("Virtio", v.Why)
	}
	for _, warning := range d.Warnings {
		row("Warning", strings.TrimSpace(warning.Code+" "+warning.Message))
	}
}

// noSystem says why no system is shown.
func (d inspectDoc) noSystem() string {
	for _, w := range d.Warnings {
		switch w.Code {
		case manifest.CodeFixUnavailable, manifest.CodeGuestEncrypted, manifest.CodeGuestUnclean, manifest.CodeGuestAppliance:
			return "not known, see the warning " + w.Code
		}
	}
	return "none was found"
}

func writeSystem(row func(name, value string), sys guest.System) {
	row("System", strings.TrimSpace(sys.Name+" "+sys.Arch))
	row("Host name", sys.Host)
	row("Init", sys.Init)
	row("Packages", sys.Packages)
	for _, k := range sys.Kernels {
		row("Kernel", strings.TrimSpace(k.Version+"  "+k.Image+"  "+k.Initrd))
	}
	for _, b := range sys.BootLoaders {
		row("Loader", b.Kind+"  "+b.Config)
	}
	for _, m := range sys.Mounts {
		row("Mount", fmt.Sprintf("%s on %s (%s), %s free", m.Device, m.Point, m.Type, bytesText(m.Free)))
	}
	for _, v := range sys.Volumes {
		row("Volume", strings.TrimSpace(fmt.Sprintf("%s  %s  %s  %s", v.Device, v.Type, bytesText(v.Size), v.UUID)))
	}
	for _, i := range sys.Interfaces {
		row("Interface", strings.TrimSpace(fmt.Sprintf("%s  %s  %s  %s", i.Name, i.Backend, i.MAC, i.Address)))
	}
	row("Tools", strings.Join(sys.Tools, ", "))
	row("SELinux", sys.SELinux)
	row("Others", strings.Join(sys.Roots, ", "))
	if sys.Hibernated {
		row("Hibernated", "yes: it must be shut down before it is repaired")
	}
	if sys.Dirty {
		row("Dirty", sys.DirtyWhy)
	}
}

func diskLine(d guest.DiskFacts) string {
	parts := []string{d.Table}
	for _, p := range d.Partitions {
		text := p.TypeName
		if p.Filesystem != nil {
			text = p.Filesystem.Type
		}
		parts = append(parts, fmt.Sprintf("%d: %s %s", p.Number, bytesText(p.Size), text))
	}
	if d.Filesystem != nil {
		parts = append(parts, d.Filesystem.Type)
	}
	return strings.Join(parts, ", ")
}
