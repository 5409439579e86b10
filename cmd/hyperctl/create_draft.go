package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gopkg.in/yaml.v3"

	"hyper2kvm/internal/atomicfile"
	"hyper2kvm/internal/manifest"
	"hyper2kvm/tui/wizard"
	"hyper2kvm/tui/wizard/answers"
)

// draftFile is where the answers of a manifest that is not finished are kept: the user's state directory as XDG says; "" without
// a home.
func (c *console) draftFile() string {
	dir := c.getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home := c.getenv("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "hyperctl", "draft.yaml")
}

// draftDoc is a draft in its file: the answers as they were typed, right or wrong.
type draftDoc struct {
	VMs []map[string]string `yaml:"vms"`
}

// keepDraft keeps answers for the next time. None are none.
func (c *console) keepDraft(f answers.Form) error {
	path := c.draftFile()
	if path == "" {
		return nil
	}
	if f.Empty() {
		return c.dropDraft()
	}
	var doc draftDoc
	for _, vm := range f.VMs {
		doc.VMs = append(doc.VMs, vm)
	}
	b, err := yaml.Marshal(doc)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, b, 0o600)
}

// dropDraft forgets the answers that were kept.
func (c *console) dropDraft() error {
	if path := c.draftFile(); path != "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// readDraft reads what an earlier run left behind; nil when there is nothing that can be used.
func (c *console) readDraft() (*wizard.Draft, error) {
	path := c.draftFile()
	if path == "" {
		return nil, nil // no draft is no error
	}
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no draft is no error
	}
	if err != nil || !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file: %w", path, errors.Join(err, fs.ErrInvalid))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, manifest.MaxBytes))
	if err != nil {
		return nil, err
	}
	var doc draftDoc
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%s is not a draft: %w", path, err)
	}
	d := &wizard.Draft{At: st.ModTime()}
	for i, vm := range doc.VMs {
		if i == manifest.MaxVMs {
			break
		}
		took := answers.VM{}
		for _, field := range answers.Fields() { // a key that is gone since then is not taken up
			took.Set(field.Path, vm[field.Path])
		}
		d.Form.VMs = append(d.Form.VMs, took)
	}
	if d.Form.Empty() {
		return nil, nil // a draft without answers is none
	}
	return d, nil
}
