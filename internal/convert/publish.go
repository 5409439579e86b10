package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"hyper2kvm/internal/manifest"
)

// place asks where the result will stand; it is asked once.
func (r *Run) place(ctx context.Context) error {
	if r.Dir != "" {
		return nil
	}
	dir, err := r.Host.Place(ctx, r.Request.Job.Name)
	if err != nil {
		return fmt.Errorf("place the result: %w", err)
	}
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("place the result: %q is not an absolute directory", dir)
	}
	r.Dir = dir
	return nil
}

// publish writes the report beside the images and syncs the directory: from here on a rename makes it the result. A dry run
// is published too, with the report alone.
func publish(ctx context.Context, r *Run, report manifest.Report) error {
	if err := r.place(ctx); err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(report); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := writeNew(filepath.Join(r.Request.Partial, reportName), b.Bytes()); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(r.Request.Partial, guestDir)); err != nil {
		return marked(err)
	}
	if err := r.setOwner(); err != nil {
		return err
	}
	return syncDir(r.Request.Partial)
}

// writeNew writes and syncs a file that must not exist yet.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, outputMode)
	if err != nil {
		return marked(err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = syncFile(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return marked(err)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return marked(err)
	}
	defer d.Close()
	return marked(syncFile(d))
}
