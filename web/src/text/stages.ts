import type { JobDetail, StageReport } from "../api/types";

export const stageNames = ["load", "inspect", "fix", "convert", "validate"] as const;

export interface StageView {
  name: string;
  status: StageReport["status"] | "running" | "waiting" | "over";
  reason?: string | undefined;
  seconds?: number | undefined;
}

/** The stages of a job: as its record has them once it ended, before that as far as its progress tells. None when nothing is known. */
export function stagesOf(job: JobDetail, report: readonly StageReport[] | null | undefined): StageView[] {
  const told = report ?? job.record?.stages;
  if (told && told.length > 0) return [...told];
  if (job.state === "running") {
    const at = stageNames.findIndex((name) => name === job.stage);
    // Which of the earlier stages were left out is told when the job has ended: until then they are only over.
    return stageNames.map((name, i) => ({ name, status: i < at ? "over" : i === at ? "running" : "waiting" }));
  }
  if (job.state === "failed") {
    const at = stageNames.findIndex((name) => name === job.ended?.stage);
    if (at < 0) return []; // cancelled, or the daemon ended with it: nobody wrote down how far it was
    return stageNames.map((name, i) => ({ name, status: i > at ? "not-run" : i === at ? "failed" : "done" }));
  }
  return stageNames.map((name) => ({ name, status: job.state === "done" ? "done" : "waiting" }));
}
