package convert

import (
	"context"
	"errors"
	"fmt"

	"hyper2kvm/internal/disk"
	"hyper2kvm/internal/disk/formats"
	"hyper2kvm/internal/manifest"
)

// validateDisks opens every output again as a stranger would, checks its structure, reads its content back and compares it
// with what was read from the source; then it looks over the guest in them, asks where the result will stand and writes the domain XML
// for there. It fills Proved, BootTest, Dir and the firmware of Machine.
func validateDisks(ctx context.Context, r *Run) error {
	images, total, err := reopen(ctx, r)
	defer func() {
		for _, img := range images {
			img.Close()
		}
	}()
	if err != nil {
		return err
	}
	m := newMeter(r, StageValidate, total)
	for i, img := range images {
		if err := prove(ctx, r, i, img, m); err != nil {
			return err
		}
		r.Outputs[i].Proved = true
	}
	if err := checkGuest(ctx, r, images); err != nil {
		return err
	}
	return writeDomain(ctx, r)
}

// reopen opens the outputs by the format that they were written in; they may name no other file. The second result is the
// number of bytes to be read.
func reopen(ctx context.Context, r *Run) ([]disk.Image, int64, error) {
	var images []disk.Image
	var total int64
	for i, out := range r.Outputs {
		refuse := func(name string) (disk.File, error) {
			return nil, &disk.Error{Op: "open", File: name, Off: -1, Kind: disk.ErrOutside, Detail: "an output stands alone"}
		}
		img, err := formats.OpenPath(ctx, out.Path, formats.OpenOptions{Format: r.Plan.Disks[i].Format, Open: refuse})
		if err != nil {
			return images, 0, notProved(out, err)
		}
		images = append(images, img)
		n, err := disk.Allocated(ctx, img)
		if err != nil {
			return images, 0, notProved(out, err)
		}
		total += n
	}
	return images, total, nil
}

// prove compares one output with what was read from its source.
func prove(ctx context.Context, r *Run, i int, img disk.Image, m *meter) error {
	out, size := r.Outputs[i], r.Sources[i].Image.Size()
	if checksStructure(r.Request.Job) {
		if err := checkStructure(ctx, img); err != nil {
			return notProved(out, err)
		}
	}
	if img.Size() < size || img.Size()-size >= disk.SectorSize {
		return notProved(out, fmt.Errorf("%w: the disk has %d bytes, the source has %d", disk.ErrMismatch, img.Size(), size))
	}
	n, err := disk.Allocated(ctx, img)
	if err != nil {
		return notProved(out, err)
	}
	progress, end := m.part(n)
	// A format that counts in sectors made the disk up to 511 bytes longer; it is compared on the source's size.
	digest, err := disk.DigestOf(ctx, disk.Resize(img, size), disk.Options{Workers: r.workers, Progress: progress, Total: n})
	if err != nil {
		return notProved(out, err)
	}
	end()
	if !sameDigest(digest, out.Digest) {
		return notProved(out, fmt.Errorf("%w: the source's content is %s, the output's is %s", disk.ErrMismatch, out.Digest, digest))
	}
	return nil
}

// notProved is the error of an output that does not read back as it was written. A cancelled run proves nothing, either way.
func notProved(out Output, err error) error {
	err = fmt.Errorf("prove %s: %w", out.Name, err)
	if errors.Is(err, context.Canceled) {
		return err
	}
	return coded(manifest.CodeOutputProof, "", err)
}

// checkStructure looks for faults that reading the content cannot find, where the format has a check of its own. What this program
// writes wastes no space: a leak says that the writer lost count.
func checkStructure(ctx context.Context, img disk.Image) error {
	c, ok := img.(disk.Checker)
	if !ok {
		return nil
	}
	found, err := c.Check(ctx)
	switch {
	case err != nil:
		return err
	case found.Leaks > 0:
		found.Problem(fmt.Errorf("%w: %d clusters are counted as used, and nothing uses them", disk.ErrCorrupt, found.Leaks))
	}
	return found.Err()
}
