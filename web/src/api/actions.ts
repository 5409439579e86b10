import { ApiError, jobPath, postJSON } from "./client";
import type { Answer } from "./types";

/** What the daemon is asked to do with a job. */
export type Ask = { verb: "retry" | "cancel" | "release" } | { verb: "priority"; priority: number };

/** What became of one request for several jobs. */
export interface BulkResult {
  done: number;
  refused: { id: string; why: string }[];
}

/** How many requests are on their way at the same time; each waits for the daemon's answer. */
const atOnce = 4;

export function act(ask: Ask, id: string): Promise<Answer> {
  const { verb, ...body } = ask;
  return postJSON<Answer>(jobPath(id, `/${verb}`), body);
}

/** Asks for the same for each job, and goes on when one is refused. */
export async function actOnAll(ask: Ask, ids: readonly string[]): Promise<BulkResult> {
  const result: BulkResult = { done: 0, refused: [] };
  const left = [...ids];
  const worker = async (): Promise<void> => {
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      try {
        await act(ask, id);
        result.done++;
      } catch (error) {
        result.refused.push({ id, why: error instanceof ApiError ? error.problem.detail : String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, left.length) }, worker));
  return result;
}

export function pauseQueue(reason: string): Promise<Answer> {
  return postJSON<Answer>("/api/workflow/queue/pause", reason === "" ? {} : { reason });
}

export function resumeQueue(): Promise<Answer> {
  return postJSON<Answer>("/api/workflow/queue/resume");
}
