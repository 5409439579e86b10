import { useState, type JSX } from "react";
import type { Verb } from "../api/actions";
import type { Job } from "../api/types";
import { count } from "../text/format";
import { Confirm } from "./confirm";
import { Icon } from "./icon";
import { readOnlyReason, useMayWrite } from "./role";
import { canCancel, canRetry } from "../text/verbs";

interface BulkBarProps {
  chosen: readonly Job[];
  act: (verb: Verb, ids: string[]) => Promise<void>;
  clear: () => void;
}

/** What can be done with the marked jobs. Each button says for how many of them it is meant. */
export function BulkBar({ chosen, act, clear }: BulkBarProps): JSX.Element {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const mayWrite = useMayWrite();
  const failed = chosen.filter(canRetry).map((j) => j.id);
  const open = chosen.filter(canCancel).map((j) => j.id);
  const why = mayWrite ? {} : { title: readOnlyReason };
  const run = async (verb: Verb, ids: string[]): Promise<void> => {
    setBusy(true);
    await act(verb, ids);
    setBusy(false);
  };
  return (
    <div className="bulk" role="region" aria-label="Marked jobs">
      <strong>{count(chosen.length, "job")} marked</strong>
      <button type="button" className="button" disabled={!mayWrite || busy || failed.length === 0} {...why} onClick={() => void run("retry", failed)}>
        <Icon name="retry" />
        Retry {failed.length}
      </button>
      <button type="button" className="button" disabled={!mayWrite || busy || open.length === 0} {...why} onClick={() => setAsking(true)}>
        <Icon name="stop" />
        Cancel {open.length}
      </button>
      <button type="button" className="button button-bare" onClick={clear}>
        Clear
      </button>
      {asking ? (
        <Confirm title={`Cancel ${count(open.length, "job")}?`} verb={`Cancel ${count(open.length, "job")}`} danger onDo={() => void run("cancel", open)} onClose={() => setAsking(false)}>
          <p>What they have written so far is dropped. The sources go to failed/ unchanged, from where they can be retried.</p>
        </Confirm>
      ) : null}
    </div>
  );
}
