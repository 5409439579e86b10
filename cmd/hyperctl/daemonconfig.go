package main

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"hyper2kvm/internal/config"
	"hyper2kvm/internal/manifest"
)

// maxConfigBytes bounds what is read of the daemon's configuration: it is a page of text.
const maxConfigBytes = 1 << 20

// readDaemonConfig reads the daemon's configuration; there is false when there is no such file.
func readDaemonConfig(path string) (c config.Config, there bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return config.Config{}, false, nil
	}
	if err != nil {
		return c, false, configFailure(path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigBytes))
	if err != nil {
		return c, false, configFailure(path, err)
	}
	if c, err = config.Parse(path, b); err == nil {
		err = c.Validate()
	}
	if err != nil {
		return c, false, configFailure(path, err)
	}
	return c, true, nil
}

// configFailure says that the daemon's configuration, which decides where the workflow directory is, cannot be used.
func configFailure(path string, err error) error {
	f := *explainError(err)
	f.what, f.why, f.err = "cannot read the daemon's configuration "+path+", which says where the workflow directory is", err.Error(), err
	if errors.Is(err, config.ErrInvalid) {
		f.code = manifest.CodeConfig
	}
	f.try = "export HYPERCTL_WORKFLOW_DIR=DIR, or give --workflow-dir DIR"
	return &f
}

// daemonWorkflowDir is the workflow directory that the daemon's configuration names; "" when there is no configuration.
func daemonWorkflowDir(path string) (string, error) {
	c, there, err := readDaemonConfig(path)
	if err != nil || !there {
		return "", err
	}
	return c.WorkflowDir, nil
}
