import { useState, type JSX } from "react";
import type { Ask } from "../api/actions";
import type { Job } from "../api/types";
import { count } from "../text/format";
import { Confirm } from "./confirm";
import { Icon } from "./icon";
import { ChoosePriority } from "./priority";
import { readOnlyReason, useMayWrite } from "./role";
import { normalPriority } from "../text/priority";
import { canCancel, canPrioritize, canRetry } from "../text/verbs";

interface BulkBarProps {
  chosen: readonly Job[];
  act: (ask: Ask, ids: string[]) => Promise<void>;
  clear: () => void;
}

/** What can be done with the marked jobs. Each button says for how many of them it is meant. */
export function BulkBar({ chosen, act, clear }: BulkBarProps): JSX.Element {
  const [asking, setAsking] = useState<"cancel" | "priority" | null>(null);
  const [busy, setBusy] = useState(false);
  const mayWrite = useMayWrite();
  const failed = chosen.filter(canRetry).map((j) => j.id);
  const open = chosen.filter(canCancel).map((j) => j.id);
  const queued = chosen.filter(canPrioritize);
  const why = mayWrite ? {} : { title: readOnlyReason };
  const run = async (ask: Ask, ids: string[]): Promise<void> => {
    setBusy(true);
    await act(ask, ids);
    setBusy(false);
  };
  return (
    <div className="bulk" role="region" aria-label="Marked jobs">
      <strong>{count(chosen.length, "job")} marked</strong>
      <button type="button" className="button" disabled={!mayWrite || busy || failed.length === 0} {...why} onClick={() => void run({ verb: "retry" }, failed)}>
        <Icon name="retry" />
        Retry {failed.length}
      </button>
      <button type="button" className="button" disabled={!mayWrite || busy || open.length === 0} {...why} onClick={() => setAsking("cancel")}>
        <Icon name="stop" />
        Cancel {open.length}
      </button>
      <button type="button" className="button" disabled={!mayWrite || busy || queued.length === 0} {...why} onClick={() => setAsking("priority")}>
        <Icon name="sooner" />
        Priority of {queued.length}
      </button>
      <button type="button" className="button button-bare" onClick={clear}>
        Clear
      </button>
      {asking === "cancel" ? (
        <Confirm title={`Cancel ${count(open.length, "job")}?`} verb={`Cancel ${count(open.length, "job")}`} danger onDo={() => void run({ verb: "cancel" }, open)} onClose={() => setAsking(null)}>
          <p>What they have written so far is dropped. The sources go to failed/ unchanged, from where they can be retried.</p>
        </Confirm>
      ) : null}
      {asking === "priority" ? (
        <ChoosePriority
          title={`Priority of ${count(queued.length, "job")}`}
          now={queued[0]?.priority ?? normalPriority}
          onDo={(priority) => void run({ verb: "priority", priority }, queued.map((j) => j.id))}
          onClose={() => setAsking(null)}
        />
      ) : null}
    </div>
  );
}
