package convert

import (
	"context"
	"fmt"

	"hyper2kvm/internal/guest"
	"hyper2kvm/internal/guest/native"
	"hyper2kvm/internal/machine"
	"hyper2kvm/internal/manifest"
)

// skipInspect leaves the stage out where the job says so.
func skipInspect(r *Run) string {
	if !r.Request.Job.Inspect.Enabled {
		return skipAsked
	}
	return ""
}

// inspect reads partition tables, signatures and what they tell of the firmware, and fills Guest. A disk that ends before its
// partitions do was copied in part and fails the job here, before hours are spent on it. Then it opens the guest, if there is one.
func inspect(ctx context.Context, r *Run) error {
	disks := make([]native.Disk, len(r.Sources))
	for i, s := range r.Sources {
		disks[i] = native.Disk{Name: s.Name, R: s.Image, Size: s.Image.Size()}
	}
	facts, err := native.Inspect(ctx, disks)
	if err != nil {
		return err
	}
	r.Guest = facts
	for i, d := range facts.Disks {
		name := machine.Quote(r.Plan.Disks[i].Source)
		if d.PastEnd {
			return halfCopied(name, r.Sources[i].Facts.VirtualSize, d)
		}
		for _, w := range d.Warnings {
			r.warn(manifest.Warning{Code: manifest.CodeImagePartitions, Message: name + ": " + w})
		}
	}
	if described := string(r.Machine.Firmware); described != "" && facts.Firmware != "" && described != facts.Firmware {
		r.warn(manifest.Warning{
			Code:    manifest.CodeMachineAssumed,
			Message: fmt.Sprintf("the firmware is described as %s, the disks speak for %s (%s); the description counts", described, facts.Firmware, facts.Why),
			Hint:    "if the VM does not start, set the firmware in the manifest",
		})
	}
	return openGuest(ctx, r)
}

func halfCopied(name string, size int64, d guest.DiskFacts) error {
	needs := ""
	if d.NeedBytes > size {
		needs = fmt.Sprintf(" (%d bytes are missing)", d.NeedBytes-size)
	}
	return coded(manifest.CodeImagePartitions, "copy the disk again and compare its size with the original; to convert it as it is, set inspect.enabled to false",
		fmt.Errorf("disk %s has %d bytes, and its partition table reaches to byte %d%s: it was copied only in part", name, size, max(d.NeedBytes, size), needs))
}
