import type { JSX } from "react";
import { Icon } from "../parts/icon";
import { Trouble } from "../parts/trouble";
import { count } from "../text/format";
import type { Checked } from "./check";

/** What the API says about the manifest. Each problem leads to its place in the text. */
export function Problems({ checked, goTo }: { checked: Checked | null; goTo: (index: number) => void }): JSX.Element {
  if (checked === null) {
    return (
      <p className="verdict muted" role="status" aria-busy="true">
        Checking …
      </p>
    );
  }
  if (checked.error) return <Trouble error={checked.error} />;
  const problems = checked.answer?.problems ?? [];
  const errors = problems.filter((p) => p.severity === "error").length;
  return (
    <>
      <p className={`verdict ${checked.answer?.valid ? "good" : "bad"}`} role="status">
        <Icon name={checked.answer?.valid ? "done" : "failed"} />
        {checked.answer?.valid ? `Valid: asks for ${count(checked.answer.vms.length, "VM")}` : count(errors, "error")}
        {problems.length > errors ? `, ${count(problems.length - errors, "warning")}` : ""}
      </p>
      <ul className="problems">
        {problems.map((p, i) => (
          <li key={`${p.line}:${p.column}:${p.message}`}>
            <button type="button" className={`problem problem-${p.severity}`} onClick={() => goTo(i)}>
              <Icon name={p.severity === "error" ? "failed" : "failures"} />
              <span>
                <span className="muted">Line {p.line}: </span>
                {p.path ? <code>{p.path}</code> : null} {p.message}
                {p.hint ? <span className="muted"> ({p.hint})</span> : null} <code className="code-id">{p.code}</code>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
