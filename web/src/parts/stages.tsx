import type { JSX } from "react";
import { capital, duration } from "../text/format";
import type { StageView } from "../text/stages";
import { Icon, type IconName } from "./icon";

const marks: Record<StageView["status"], { icon: IconName; word: string }> = {
  done: { icon: "done", word: "Done" },
  skipped: { icon: "next", word: "Skipped" },
  failed: { icon: "failed", word: "Failed" },
  "not-run": { icon: "ignored", word: "Not run" },
  running: { icon: "running", word: "Running" },
  over: { icon: "next", word: "Over" },
  waiting: { icon: "queued", word: "To come" },
};

/** What each stage is for, in a few words. */
const does: Record<string, string> = {
  load: "Opens the source",
  inspect: "Looks into the guest",
  fix: "Repairs the guest for KVM",
  convert: "Writes the images",
  validate: "Proves the result",
};

/** The five stages of a job, one after the other. */
export function Stages({ stages }: { stages: readonly StageView[] }): JSX.Element {
  return (
    <ol className="stages">
      {stages.map((s) => (
        <li key={s.name} className={`stage stage-${s.status}`} {...(s.status === "running" ? { "aria-current": "step" as const } : {})}>
          <span className="stage-mark">
            <Icon name={marks[s.status].icon} />
          </span>
          <div className="stage-text">
            <p className="stage-name">{capital(s.name)}</p>
            <p className="muted">{does[s.name] ?? ""}</p>
            <p className="stage-state">
              {marks[s.status].word}
              {s.status === "done" && s.seconds !== undefined ? ` in ${duration(s.seconds)}` : ""}
            </p>
            {s.reason && s.status === "skipped" ? <p className="muted small">{s.reason}</p> : null}
          </div>
        </li>
      ))}
    </ol>
  );
}
