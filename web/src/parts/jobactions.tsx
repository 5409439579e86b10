import { useQueryClient } from "@tanstack/react-query";
import { useState, type JSX } from "react";
import { useLocation } from "wouter";
import { act, type Ask } from "../api/actions";
import { ApiError } from "../api/client";
import type { Job } from "../api/types";
import { priorityWord } from "../text/priority";
import { canCancel, canPrioritize, canRelease, canRetry } from "../text/verbs";
import { Confirm } from "./confirm";
import { Icon } from "./icon";
import { jobHref } from "./link";
import { ChoosePriority } from "./priority";
import { readOnlyReason, useMayWrite } from "./role";
import { useSay } from "./toasts";

const told: Record<Ask["verb"], string> = { retry: "is back in the queue", cancel: "is being cancelled", release: "runs by itself now", priority: "has another place in the queue" };

/** What can be done with one job. */
export function JobActions({ job }: { job: Job }): JSX.Element {
  const client = useQueryClient();
  const say = useSay();
  const mayWrite = useMayWrite();
  const [, navigate] = useLocation();
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState<"cancel" | "priority" | null>(null);
  const why = mayWrite ? {} : { title: readOnlyReason };
  const run = async (ask: Ask): Promise<void> => {
    setBusy(true);
    try {
      await act(ask, job.id);
      say("good", `${job.name} ${told[ask.verb]}`);
    } catch (error) {
      setBusy(false);
      say("bad", error instanceof ApiError ? error.problem.detail : String(error));
      return;
    }
    setBusy(false);
    // What is retried is a new job, and what is let go has no id yet: the name of the entry leads to it.
    if (ask.verb === "retry" || ask.verb === "release") navigate(jobHref(job.name), { replace: true });
    await client.invalidateQueries();
  };
  return (
    <>
      {canRetry(job) ? (
        <button type="button" className="button button-main" disabled={!mayWrite || busy} {...why} onClick={() => void run({ verb: "retry" })}>
          <Icon name="retry" />
          Retry
        </button>
      ) : null}
      {canRelease(job) ? (
        <button type="button" className="button" disabled={!mayWrite || busy} {...why} onClick={() => void run({ verb: "release" })}>
          <Icon name="running" />
          Let it run by itself
        </button>
      ) : null}
      {canPrioritize(job) ? (
        <button type="button" className="button" disabled={!mayWrite || busy} {...why} onClick={() => setAsking("priority")}>
          <Icon name="sooner" />
          Priority: {priorityWord(job.priority)}
        </button>
      ) : null}
      {canCancel(job) ? (
        <button type="button" className="button" disabled={!mayWrite || busy} {...why} onClick={() => setAsking("cancel")}>
          <Icon name="stop" />
          Cancel
        </button>
      ) : null}
      {asking === "cancel" ? (
        <Confirm title={`Cancel ${job.name}?`} verb="Cancel the job" danger onDo={() => void run({ verb: "cancel" })} onClose={() => setAsking(null)}>
          <p>What it has written so far is dropped. The source goes to failed/ unchanged, from where it can be retried.</p>
        </Confirm>
      ) : null}
      {asking === "priority" ? (
        <ChoosePriority title={`Priority of ${job.name}`} now={job.priority} onDo={(priority) => void run({ verb: "priority", priority })} onClose={() => setAsking(null)} />
      ) : null}
    </>
  );
}
