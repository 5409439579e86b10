import type { QueryClient } from "@tanstack/react-query";
import type { Job, JobDetail, JobList, Status } from "../api/types";

export type EventKind = "status" | "job" | "jobs" | "reset";

/** Puts what an event tells into what the pages show, and marks as old what it may have changed elsewhere. */
export function applyEvent(client: QueryClient, kind: EventKind, data: string, stale: (keys: string[]) => void): void {
  switch (kind) {
    case "status":
      client.setQueryData<Status>(["status"], JSON.parse(data) as Status);
      return;
    case "job":
      applyJob(client, JSON.parse(data) as Job, stale);
      return;
    case "jobs":
      stale(["jobs", "job", "failures", "history", "active"]);
      return;
    case "reset":
      stale(["status", "jobs", "job", "failures", "history", "active"]);
  }
}

function applyJob(client: QueryClient, job: Job, stale: (keys: string[]) => void): void {
  client.setQueryData<JobList>(["active"], (list) => list && mergeActive(list, job));
  client.setQueriesData<JobList>({ queryKey: ["jobs"] }, (list) => list && mergePage(list, job));
  client.setQueriesData<JobDetail>({ queryKey: ["job"] }, (detail) => (detail?.id === job.id ? mergeDetail(detail, job) : detail));
  if (job.state !== "running") stale(["jobs", "job", "failures", "history", "active"]);
}

/** The running jobs with a new state of one of them. */
export function mergeActive(list: JobList, job: Job): JobList {
  const others = list.jobs.filter((j) => j.id !== job.id);
  const jobs = job.state === "running" ? replaceOrAdd(list.jobs, job) : others;
  return { ...list, jobs, total: jobs.length };
}

function replaceOrAdd(jobs: readonly Job[], job: Job): Job[] {
  return jobs.some((j) => j.id === job.id) ? jobs.map((j) => (j.id === job.id ? job : j)) : [...jobs, job];
}

/** A page with a new state of one of its jobs; which jobs belong on it is for the server to say. */
export function mergePage(list: JobList, job: Job): JobList {
  return list.jobs.some((j) => j.id === job.id) ? { ...list, jobs: list.jobs.map((j) => (j.id === job.id ? job : j)) } : list;
}

/** A job's page keeps what events do not carry. */
export function mergeDetail(detail: JobDetail, job: Job): JobDetail {
  const kept: Pick<JobDetail, "has_log" | "has_report"> = { has_log: detail.has_log || job.state === "running", has_report: detail.has_report };
  return { ...(detail.ended ? { ended: detail.ended } : {}), ...(detail.record ? { record: detail.record } : {}), ...job, ...kept };
}
