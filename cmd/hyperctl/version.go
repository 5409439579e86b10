package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/version"
)

func newVersion(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which build of the program this is",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return runVersion(con) },
	}
}

func runVersion(con *console) error {
	i := version.Get()
	return con.printOne(i, i.Version, func(w io.Writer) {
		fmt.Fprintf(w, "hyperctl %s", i.Version)
		if i.Revision != "" {
			fmt.Fprintf(w, " (%.12s %s)", i.Revision, i.Time)
		}
		fmt.Fprintf(w, " %s %s\n", i.Go, i.Platform)
	})
}
