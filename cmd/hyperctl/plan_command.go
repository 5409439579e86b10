package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/convert"
	"hyper2kvm/internal/manifest"
)

func newPlan(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "plan IMAGE|FOLDER|MANIFEST|JOB...",
		Short: "Show what a job would do and every change that it would make in the guest, as diffs",
		Long: `plan opens the disks of a VM together, on an overlay, and prints what each stage would do and each change that FIX would make:
files as diffs, commands with what is proved of their work. A real run makes the same changes. Nothing is written to the disks.
Without KVM it takes about half a minute.`,
		Example: `  hyperctl plan web01.vmdk
  hyperctl plan web01.yaml
  hyperctl plan web01 -o json        a job that failed, or waits`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: con.completeFilesAndJobs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runGuestPlan(cmd.Context(), con, args)
		},
	}
}

// planDoc is a plan in JSON and YAML.
type planDoc struct {
	convert.Plan
	System  any               `json:"system,omitempty"`
	Repairs []manifest.Repair `json:"repairs"`
}

func runGuestPlan(ctx context.Context, con *console, args []string) error {
	found, err := con.look(ctx, args, func(*manifest.Job) {})
	if err != nil {
		return err
	}
	docs := make([]planDoc, len(found))
	for i, l := range found {
		docs[i] = planDoc{Plan: l.Plan, System: l.Report.System, Repairs: append([]manifest.Repair{}, l.Report.Repairs...)}
		docs[i].Warnings = l.Report.Warnings
	}
	return con.printOne(docs, "", func(w io.Writer) {
		for i, l := range found {
			if i > 0 {
				fmt.Fprintln(w)
			}
			p := docs[i].Plan
			if err := p.Write(w); err != nil {
				return // w is a buffer
			}
			changes := l.Changes()
			for _, c := range changes {
				fmt.Fprintf(w, "\n%s", cleanLines(c))
			}
			if len(changes) == 0 {
				fmt.Fprintln(w, "nothing is changed in the guest")
			}
		}
	})
}
