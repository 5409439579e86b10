package convert

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/manifest"
)

// outputMode is the mode of the files of a result: operators of the group read them, others do not.
const outputMode = 0o640

// skipDryRun leaves out what writes images.
func skipDryRun(r *Run) string {
	if r.Request.Job.DryRun {
		return skipDry
	}
	return ""
}

// convertDisks writes an image of every source into Request.Partial and fills Outputs. At its end the sources must still be
// the files that were opened: content that moved while it was read is no disk that ever existed.
func convertDisks(ctx context.Context, r *Run) error {
	var total int64
	for _, d := range r.Plan.Disks {
		total += d.ReadBytes
	}
	m := newMeter(r, StageConvert, total)
	for i, s := range r.Sources {
		progress, end := m.part(r.Plan.Disks[i].ReadBytes)
		out, err := convertDisk(ctx, r, s, r.Plan.Disks[i], progress)
		if err != nil {
			return fmt.Errorf("convert %s: %w", r.Plan.Disks[i].Source, err)
		}
		end()
		r.Outputs = append(r.Outputs, out)
		r.Events.Log(StageConvert, fmt.Sprintf("%s: %s written, content %s", out.Name, sizeText(out.Bytes), out.Digest))
	}
	return r.opened.watch.changed()
}

// convertDisk writes one image. The file is made anew: what already has its name is never overwritten.
func convertDisk(ctx context.Context, r *Run, s Source, p DiskPlan, progress func(done, total int64)) (Output, error) {
	out := Output{Name: p.Output, Path: filepath.Join(r.Request.Partial, p.Output)}
	f, err := os.OpenFile(out.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, outputMode)
	if err != nil {
		return Output{}, &outputError{err}
	}
	defer f.Close()
	w, err := formats.Create(p.Format, target{f}, s.Image.Size(), formats.CreateOptions{Compression: p.Compression, Level: p.Level})
	if errors.Is(err, disk.ErrUnsupported) || errors.Is(err, disk.ErrLimit) {
		err = coded(manifest.CodeOutputFormat, "choose another output format, compression or level", err)
	}
	if err != nil {
		return Output{}, err
	}
	res, err := disk.Copy(ctx, w, s.Image, disk.Options{Workers: r.workers, Digest: true, Progress: progress, Total: p.ReadBytes})
	if err != nil {
		return Output{}, err
	}
	out.Digest = res.Digest
	if out.Bytes, err = closeOutput(f); err != nil {
		return Output{}, &outputError{err}
	}
	return out, nil
}

// closeOutput ends a file that its writer has synced, and returns its size in bytes. An error of Close may be the only word
// of a network file system about a failed write.
func closeOutput(f *os.File) (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), f.Close()
}

// target is the file that a writer writes; its errors are marked as the output's.
type target struct{ f *os.File }

// WriteAt implements disk.Target.
func (t target) WriteAt(p []byte, off int64) (int, error) {
	n, err := t.f.WriteAt(p, off)
	return n, marked(err)
}

// Truncate implements disk.Target.
func (t target) Truncate(size int64) error { return marked(t.f.Truncate(size)) }

// Sync implements disk.Target.
func (t target) Sync() error { return marked(syncFile(t.f)) }

func marked(err error) error {
	if err == nil {
		return nil
	}
	return &outputError{err}
}
