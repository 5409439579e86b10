package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"hyper2kvm/internal/config"
	"hyper2kvm/internal/doctor"
	"hyper2kvm/internal/queue"
)

func newDoctor(con *console) *cobra.Command {
	dropIn := false
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this host needs to convert, repair and test guests, with the line that mends each finding",
		Long: `doctor checks libguestfs, qemu, KVM (by starting a VM: some hosts have a /dev/kvm that does not work), firmware, the workflow and
output directories, space, limits and the daemon. It changes nothing. It ends with exit code 1 if something is broken that jobs need;
what only some people need is a warning.`,
		Example: `  hyperctl doctor
  hyperctl doctor -o json
  hyperctl doctor --systemd-dropin       for directories outside /var/lib/hyper2kvm`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dropIn {
				return runDropIn(con)
			}
			return runDoctor(cmd.Context(), con)
		},
	}
	cmd.Flags().BoolVar(&dropIn, "systemd-dropin", false, "print a drop-in for the daemon's unit that lets it reach the configured directories")
	return cmd
}

func runDoctor(ctx context.Context, con *console) error {
	found := doctor.Run(ctx, con.doctorOptions())
	broken := 0
	for _, f := range found {
		if f.Verdict == doctor.Fail {
			broken++
		}
	}
	err := con.printOne(found, "", func(w io.Writer) {
		for _, f := range found {
			mark, color := "✔", green
			switch f.Verdict {
			case doctor.Warn:
				mark, color = "!", yellow
			case doctor.Fail:
				mark, color = "✖", red
			}
			fmt.Fprintf(w, "%s %-11s %s\n", con.style.paint(color, mark+" "+fmt.Sprintf("%-4s", f.Verdict)), f.Check, cleanLine(f.Detail))
			if f.Fix != "" && f.Verdict != doctor.OK {
				fmt.Fprintf(w, "  %-4s %-11s try: %s\n", "", "", cleanLine(f.Fix))
			}
		}
	})
	if err == nil && broken > 0 {
		err = &failure{exit: exitError, what: fmt.Sprintf("%d of %d checks failed", broken, len(found)), try: "the lines above, then: hyperctl doctor"}
	}
	return err
}

// doctorOptions say what there is to look at: the workflow directory that the other commands use, and the daemon's configuration.
func (c *console) doctorOptions() doctor.Options {
	o := doctor.Options{Accel: c.acceleration, Clock: time.Now, Unit: doctor.FindUnit}
	conf, fault := c.configOrDefault()
	if fault != nil {
		o.SettingsFault = fault.Error()
	}
	if path, err := filepath.Abs(c.opts.daemonConfig); err == nil && exists(path) {
		o.Settings = path
	}
	o.OutputDir, o.Directories, o.Sources = conf.OutputDir, written(conf), conf.ImportRoots
	dir, err := findWorkflowDir(c.opts.workflowDir, c.opts.daemonConfig, defaultWorkflowDirs)
	if err != nil {
		return o
	}
	if o.WorkflowDir, err = filepath.Abs(dir); err != nil {
		o.WorkflowDir = dir
	}
	sp, err := queue.Open(dir)
	if err != nil {
		return o
	}
	st, live, err := sp.Status()
	if err == nil && st.OutputDir != "" {
		o.OutputDir = st.OutputDir
	}
	o.Daemon = func() (bool, string) { return live == queue.LiveRunning, "the daemon is " + string(live) }
	return o
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// knownConfig is the daemon's configuration, or the product's where there is none or it cannot be used.
func (c *console) knownConfig() config.Config {
	conf, _ := c.configOrDefault()
	return conf
}

// configOrDefault is the same, and says what is wrong with the daemon's.
func (c *console) configOrDefault() (conf config.Config, fault error) {
	conf, there, fault := readDaemonConfig(c.opts.daemonConfig)
	if fault != nil || !there {
		conf = config.Default()
		_ = conf.Validate() // fills in the workflow directory; the defaults are valid
	}
	return conf, fault
}

// written are the directories that a configuration makes the daemon write.
func written(conf config.Config) []string {
	dirs := append([]string{conf.WorkflowDir, conf.OutputDir}, conf.OutputRoots...)
	if conf.LogFile != "" {
		dirs = append(dirs, filepath.Dir(conf.LogFile))
	}
	return dirs
}

func runDropIn(con *console) error {
	conf, fault := con.configOrDefault()
	if fault != nil {
		return fault
	}
	_, err := io.WriteString(con.out, doctor.DropIn(written(conf), conf.ImportRoots))
	return err
}
