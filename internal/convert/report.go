package convert

import (
	"cmp"
	"time"

	"hyper2kvm/internal/manifest"
)

// report says what became of the run. It is complete whether the run succeeded or not: every stage stands in it, and every
// disk that was found.
func (r *Run) report(started time.Time, stages []manifest.StageReport, failure *manifest.Failure) manifest.Report {
	finished := r.Clock()
	rep := manifest.Report{
		Schema: manifest.ReportSchema, ID: r.Request.ID, JobID: r.Request.JobID, Name: r.Request.Job.Name,
		Status: statusSuccess, Version: r.Request.Version,
		StartedAt: started, FinishedAt: finished, Seconds: took(finished.Sub(started)),
		Job: r.Request.Job, Stages: stages, Disks: r.diskReports(), DomainXML: r.domainXML,
		Warnings: append([]manifest.Warning{}, r.Warnings...), Error: failure,
	}
	if failure != nil {
		rep.Status = statusFailed
	}
	if len(r.Guest.Disks) > 0 {
		rep.Guest = r.Guest
	}
	if r.System.Family != "" {
		rep.System, rep.Virtio = r.System, r.Virtio
	}
	rep.Repairs, rep.BootTest, rep.Accel, rep.Commands = r.Repairs, r.BootTest, r.Accel, r.Commands
	if r.undo != nil && len(r.undo.has) > 0 {
		rep.Undo = undoName
	}
	if r.Machine != nil {
		rep.Machine = r.Machine
	}
	return rep
}

func (r *Run) diskReports() []manifest.DiskReport {
	disks := make([]manifest.DiskReport, 0, len(r.Sources))
	for i, s := range r.Sources {
		d := manifest.DiskReport{
			Source: cmp.Or(s.Name, blankName), SourcePacked: s.Facts.Packed, SourceFormat: s.Facts.Format, SourceVariant: s.Facts.Variant, Chain: s.Facts.Chain,
			VirtualSize: s.Facts.VirtualSize, AllocatedBytes: s.Facts.Allocated,
		}
		if i < len(r.Plan.Disks) {
			d.Output, d.OutputFormat = r.Plan.Disks[i].Output, r.Plan.Disks[i].Format
		}
		if i < len(r.Outputs) {
			o := r.Outputs[i]
			d.OutputBytes, d.ContentDigest, d.Proved = o.Bytes, o.Digest.String(), o.Proved
		}
		disks = append(disks, d)
	}
	return disks
}

// blankName stands in reports for a disk that the machine's description creates empty.
const blankName = "(blank)"

// The status of a report.
const (
	statusSuccess = "success"
	statusFailed  = "failed"
)
