import type { JSX } from "react";
import type { Job } from "../api/types";
import { bytes, capital, duration, percent, rate } from "../text/format";
import { Progress } from "./progress";

/** How far the stage under way is, with the bytes, the rate and the time that is left. */
export function JobProgress({ job }: { job: Job }): JSX.Element {
  const total = job.bytes_total ?? 0;
  const known = total > 0;
  const step = job.stage_index && job.stage_count ? ` ${job.stage_index}/${job.stage_count}` : "";
  return (
    <div className="jobprogress">
      <div className="row row-apart small">
        <span>
          <strong>{job.stage ? capital(job.stage) : "Starting"}</strong>
          {step}
        </span>
        <span>{known ? percent(job.progress) : ""}</span>
      </div>
      <Progress value={known ? job.progress : undefined} label={`${job.name}: ${job.stage || "starting"}`} />
      <p className="muted small">
        {known ? `${bytes(job.bytes_done ?? 0)} of ${bytes(total)}` : (job.message ?? "")}
        {job.bytes_per_second ? `, ${rate(job.bytes_per_second)}` : ""}
        {job.eta_seconds === undefined ? "" : `, ${duration(job.eta_seconds)} left`}
      </p>
    </div>
  );
}
