import type { JSX } from "react";
import type { Repair, Report } from "../api/types";
import { Diff } from "./diff";
import { Empty } from "./empty";
import { Icon } from "./icon";

/** What the stage fix did to the guest, each change with its reason. */
export function Repairs({ report }: { report: Report }): JSX.Element {
  const repairs = report.repairs ?? [];
  const fix = report.stages?.find((s) => s.name === "fix");
  if (repairs.length === 0) {
    return <Empty title={fix?.status === "skipped" ? "The stage fix was skipped." : "Nothing in the guest was changed."}>{fix?.reason}</Empty>;
  }
  return (
    <>
      <ol className="repairs">
        {repairs.map((r) => (
          <li key={`${r.fixer} ${r.path ?? ""} ${r.command?.join(" ") ?? ""} ${r.why}`}>
            <RepairItem repair={r} />
          </li>
        ))}
      </ol>
      {report.undo ? (
        <p className="muted">
          Each changed file as it was before stands in <code>{report.undo}</code> beside the image.
        </p>
      ) : null}
    </>
  );
}

function RepairItem({ repair }: { repair: Repair }): JSX.Element {
  return (
    <>
      <p>
        <code className="code-id">{repair.fixer}</code> {repair.why}
      </p>
      {repair.failed ? (
        <p className="warn">
          <Icon name="failures" />
          Left as it was: {repair.failed}
        </p>
      ) : null}
      {repair.diff ? <Diff text={repair.diff} name={repair.path ?? repair.fixer} /> : null}
      {repair.command ? (
        <p>
          <span className="muted">Ran in the guest: </span>
          <code>{repair.command.join(" ")}</code>
        </p>
      ) : null}
      {repair.proof ? <p className="muted small">Proved by: {repair.proof}</p> : null}
      {repair.output ? (
        <details>
          <summary>What it printed</summary>
          <pre className="log" tabIndex={0} aria-label="What the command printed">
            {repair.output}
          </pre>
        </details>
      ) : null}
    </>
  );
}
