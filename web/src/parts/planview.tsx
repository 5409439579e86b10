import type { JSX } from "react";
import type { Plan } from "../api/types";
import { bytes, capital } from "../text/format";
import { Warnings } from "./warnings";

/** What would be done, stage by stage. */
export function PlanView({ plan }: { plan: Plan }): JSX.Element {
  return (
    <article className="plan" aria-label={`Plan of ${plan.name}`}>
      <h3>{plan.name}</h3>
      <ol>
        {plan.stages.map((s) => (
          <li key={s.name}>
            <strong>{capital(s.name)}</strong>
            {s.skip ? <p className="muted">Skipped: {s.skip}</p> : null}
            {s.does?.map((line) => <p key={line}>{line}</p>)}
          </li>
        ))}
      </ol>
      {plan.disks?.map((d) => (
        <p key={d.output}>
          <code>{d.source}</code> → <code>{d.output}</code>{" "}
          <span className="muted">
            {d.format}
            {d.compression ? `, ${d.compression}` : ""}
            {d.max_bytes > 0 ? `, at most ${bytes(d.max_bytes)}` : ""}
            {d.read_bytes > 0 ? `, reads ${bytes(d.read_bytes)}` : ""}
          </span>
        </p>
      ))}
      <Warnings warnings={plan.warnings ?? []} />
    </article>
  );
}
