import { useState, type JSX } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import { actOnAll, pauseQueue, resumeQueue } from "../api/actions";
import { ApiError } from "../api/client";
import { useFailures, useStatus } from "../api/queries";
import { count } from "../text/format";
import { Confirm } from "./confirm";
import { Icon } from "./icon";
import { readOnlyReason, useMayWrite } from "./role";
import { useSay } from "./toasts";

/** The actions that are wanted most: submit, retry what failed, hold the queue. */
export function QuickActions(): JSX.Element {
  const client = useQueryClient();
  const say = useSay();
  const mayWrite = useMayWrite();
  const status = useStatus().data;
  const failures = useFailures().data;
  const [asking, setAsking] = useState<"retry" | "pause" | null>(null);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const failed = failures?.failures.flatMap((g) => g.ids) ?? [];
  const why = mayWrite ? {} : { title: readOnlyReason };

  const retryAll = async (): Promise<void> => {
    setBusy(true);
    const result = await actOnAll({ verb: "retry" }, failed);
    setBusy(false);
    if (result.done > 0) say("good", `${count(result.done, "job")} put back into the queue`);
    if (result.refused.length > 0) say("bad", `${count(result.refused.length, "job")} not retried: ${result.refused[0]?.why ?? ""}`);
    await client.invalidateQueries();
  };

  const setPaused = async (pause: boolean): Promise<void> => {
    setBusy(true);
    try {
      await (pause ? pauseQueue(reason.trim()) : resumeQueue());
      say("good", pause ? "The queue is paused: running jobs go on, no other starts" : "The queue goes on");
      setReason("");
    } catch (error) {
      say("bad", error instanceof ApiError ? error.problem.detail : String(error));
    }
    setBusy(false);
    await client.invalidateQueries({ queryKey: ["status"] });
  };

  return (
    <div className="row">
      <Link href="/new" className="button button-main">
        <Icon name="add" />
        New manifest
      </Link>
      <button type="button" className="button" disabled={!mayWrite || busy || failed.length === 0} {...why} onClick={() => setAsking("retry")}>
        <Icon name="retry" />
        Retry all failed{failed.length > 0 ? ` (${failed.length})` : ""}
      </button>
      {status?.paused ? (
        <button type="button" className="button" disabled={!mayWrite || busy} {...why} onClick={() => void setPaused(false)}>
          <Icon name="running" />
          Resume the queue
        </button>
      ) : (
        <button type="button" className="button" disabled={!mayWrite || busy || !status?.running} {...why} onClick={() => setAsking("pause")}>
          <Icon name="pause" />
          Pause the queue
        </button>
      )}
      {asking === "retry" ? (
        <Confirm title={`Retry ${count(failed.length, "failed job")}?`} verb="Retry all" onDo={() => void retryAll()} onClose={() => setAsking(null)}>
          <p>Each of them starts from the beginning. Those whose cause is not gone fail again.</p>
        </Confirm>
      ) : null}
      {asking === "pause" ? (
        <Confirm title="Pause the queue?" verb="Pause" onDo={() => void setPaused(true)} onClose={() => setAsking(null)}>
          <p>Running jobs go on; no other job starts until somebody resumes the queue.</p>
          <label className="field">
            <span>Why, for others to see (may be left out)</span>
            <input type="text" maxLength={200} value={reason} onChange={(e) => setReason(e.target.value)} />
          </label>
        </Confirm>
      ) : null}
    </div>
  );
}
