import type { Job } from "../api/types";

/** What the daemon takes for a job in its state. */
export function canRetry(job: Pick<Job, "state">): boolean {
  return job.state === "failed";
}

export function canCancel(job: Pick<Job, "state">): boolean {
  return job.state === "running" || job.state === "queued" || job.state === "waiting";
}

/** Once a job runs, there is nothing left to come before. */
export function canPrioritize(job: Pick<Job, "state">): boolean {
  return job.state === "queued" || job.state === "waiting";
}

/** A held entry can be let go by itself. */
export function canRelease(job: Pick<Job, "state">): boolean {
  return job.state === "waiting" || job.state === "ignored";
}
