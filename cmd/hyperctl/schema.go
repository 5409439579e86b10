package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/schema"
)

func newSchema(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of manifests, for editors",
		Example: `  hyperctl manifest schema > manifest.schema.json
  # and in a manifest: # yaml-language-server: $schema=manifest.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := con.out.Write(schema.Manifest())
			return err
		},
	}
}
