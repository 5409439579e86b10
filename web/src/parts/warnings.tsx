import type { JSX } from "react";
import type { Warning } from "../api/types";
import { Icon } from "./icon";

export function Warnings({ warnings }: { warnings: readonly Warning[] }): JSX.Element | null {
  if (warnings.length === 0) return null;
  return (
    <ul className="warnings" aria-label="Warnings">
      {warnings.map((w) => (
        <li key={w.code + w.message} className="warning">
          <Icon name="failures" />
          <div>
            <p>
              <span className="sr">Warning: </span>
              {w.message} <code className="code-id">{w.code}</code>
            </p>
            {w.hint ? <p className="muted small">{w.hint}</p> : null}
          </div>
        </li>
      ))}
    </ul>
  );
}
