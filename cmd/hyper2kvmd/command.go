package main

import (
	"github.com/spf13/cobra"

	"hyper2kvm/internal/version"
)

// options are the daemon's flags.
type options struct {
	config      string
	once        bool
	checkConfig bool
}

// newCommand is the daemon's command line.
func newCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "hyper2kvmd [daemon] [flags]",
		Short: "Watch a folder and turn VMware and Hyper-V disks into virtual machines for KVM",
		Long: `hyper2kvmd watches to_be_processed/ in its workflow directory. What is dropped there, a disk, a folder, an OVA or a
manifest, is converted, and ends in processed/ or failed/ with a record that says how it went.

Settings come from flags, then HYPER2KVMD_* in the environment (HYPER2KVMD_OUTPUT_DIR), then --config FILE, then
` + defaultConfig + ` where it exists, then the product's defaults. SIGHUP reads the file again; SIGTERM stops
claiming, waits stop_timeout for running jobs and returns the rest to the queue; a second SIGTERM does not wait.

Exit codes: 0 ok, 1 error, 2 usage, 3 invalid configuration, 6 a job failed (--once), 8 another daemon has the directory.`,
		Example: `  hyper2kvmd --config /etc/hyper2kvm/workflow-daemon.yaml
  hyper2kvmd --workflow-dir /srv/h2k --output-dir /srv/kvm --max-concurrent-jobs 5
  hyper2kvmd --once --workflow-dir /srv/h2k --output-dir /srv/kvm
  hyper2kvmd --check-config --config new.yaml`,
		Args:          cobra.NoArgs,
		Version:       version.Get().Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDaemon(cmd.Context(), o, cmd.Flags(), cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "configuration file (default "+defaultConfig+" where it exists)")
	f.BoolVar(&o.once, "once", false, "do all that can be done now, settle times included, then end")
	f.BoolVar(&o.checkConfig, "check-config", false, "check the configuration and end")
	f.String("workflow-dir", "", "directory with to_be_processed/ in it")
	f.String("output-dir", "", "where results go, by date and name of the VM")
	f.Int("max-concurrent-jobs", 0, "jobs that run at the same time")
	f.String("mode", "", "disk: a lone disk is a job; manifest: disks wait for a manifest that names them")
	f.String("log-file", "", "log to this file too")
	f.String("log-level", "", "debug, info, warn or error")
	f.Bool("workflow-mode", true, "accepted; the daemon has no other mode of work")
	return cmd
}
