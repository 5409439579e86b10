import { useQueryClient } from "@tanstack/react-query";
import { useState, type JSX } from "react";
import { useLocation } from "wouter";
import { act, type Verb } from "../api/actions";
import { ApiError } from "../api/client";
import type { Job } from "../api/types";
import { canCancel, canRelease, canRetry } from "../text/verbs";
import { Confirm } from "./confirm";
import { Icon } from "./icon";
import { jobHref } from "./link";
import { readOnlyReason, useMayWrite } from "./role";
import { useSay } from "./toasts";

const told: Record<Verb, string> = { retry: "is back in the queue", cancel: "is being cancelled", release: "runs by itself now" };

/** What can be done with one job. */
export function JobActions({ job }: { job: Job }): JSX.Element {
  const client = useQueryClient();
  const say = useSay();
  const mayWrite = useMayWrite();
  const [, navigate] = useLocation();
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const why = mayWrite ? {} : { title: readOnlyReason };
  const run = async (verb: Verb): Promise<void> => {
    setBusy(true);
    try {
      await act(verb, job.id);
      say("good", `${job.name} ${told[verb]}`);
    } catch (error) {
      setBusy(false);
      say("bad", error instanceof ApiError ? error.problem.detail : String(error));
      return;
    }
    setBusy(false);
    // What is retried is a new job, and what is let go has no id yet: the name of the entry leads to it.
    if (verb !== "cancel") navigate(jobHref(job.name), { replace: true });
    await client.invalidateQueries();
  };
  return (
    <>
      {canRetry(job) ? (
        <button type="button" className="button button-main" disabled={!mayWrite || busy} {...why} onClick={() => void run("retry")}>
          <Icon name="retry" />
          Retry
        </button>
      ) : null}
      {canRelease(job) ? (
        <button type="button" className="button" disabled={!mayWrite || busy} {...why} onClick={() => void run("release")}>
          <Icon name="running" />
          Let it run by itself
        </button>
      ) : null}
      {canCancel(job) ? (
        <button type="button" className="button" disabled={!mayWrite || busy} {...why} onClick={() => setAsking(true)}>
          <Icon name="stop" />
          Cancel
        </button>
      ) : null}
      {asking ? (
        <Confirm title={`Cancel ${job.name}?`} verb="Cancel the job" danger onDo={() => void run("cancel")} onClose={() => setAsking(false)}>
          <p>What it has written so far is dropped. The source goes to failed/ unchanged, from where it can be retried.</p>
        </Confirm>
      ) : null}
    </>
  );
}
