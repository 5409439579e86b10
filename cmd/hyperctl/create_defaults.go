package main

import (
	"path/filepath"

	"hyper2kvm/internal/manifest"
	"hyper2kvm/internal/queue"
	"hyper2kvm/tui/wizard/answers"
)

// createDefaults is what holds for a new manifest where it says nothing: what the daemon's configuration says, if it is that of the
// workflow directory that the manifest would go to, else what the product says. sp is nil where there is no workflow directory yet.
type createDefaults struct {
	jobs      manifest.Defaults
	outputDir string // "" = not known
}

func (c *console) createDefaults(sp *queue.Spool) createDefaults {
	out := createDefaults{jobs: manifest.ProductDefaults()}
	conf, there, err := readDaemonConfig(c.opts.daemonConfig)
	if err == nil && there && (sp == nil || sameDir(conf.WorkflowDir, sp.Dir())) {
		out.jobs, out.outputDir = c.jobDefaults(), conf.OutputDir
	}
	if sp == nil {
		return out
	}
	if st, _, err := sp.Status(); err == nil && st.OutputDir != "" { // what the daemon itself says
		out.outputDir = st.OutputDir
	}
	return out
}

// fields are the defaults as the form shows them.
func (d createDefaults) fields() answers.Defaults { return answers.DefaultsOf(d.jobs, d.outputDir) }

// sameDir tells whether two paths lead to the same directory.
func sameDir(a, b string) bool {
	if ra, err := filepath.EvalSymlinks(a); err == nil {
		a = ra
	}
	if rb, err := filepath.EvalSymlinks(b); err == nil {
		b = rb
	}
	return filepath.Clean(a) == filepath.Clean(b)
}
