import type { JSX } from "react";
import { ApiError } from "../api/client";
import { Icon } from "./icon";

/** Why something could not be shown or done, and what to do about it. */
export function Trouble({ error, retry }: { error: unknown; retry?: () => void }): JSX.Element {
  const problem = error instanceof ApiError ? error.problem : undefined;
  return (
    <div className="note note-bad" role="alert">
      <Icon name="failures" />
      <div>
        <p>
          <strong>{problem?.title ?? "This did not work"}</strong>
          {problem?.code ? (
            <>
              {" "}
              <code className="code-id">{problem.code}</code>
            </>
          ) : null}
        </p>
        <p>{problem?.detail ?? String(error)}</p>
        {problem?.hint ? <p className="muted">{problem.hint}</p> : null}
        {retry ? (
          <button type="button" className="button" onClick={retry}>
            <Icon name="retry" />
            Try again
          </button>
        ) : null}
      </div>
    </div>
  );
}
