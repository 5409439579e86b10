import type { JSX } from "react";
import { useCodes } from "../api/queries";
import type { JobDetail } from "../api/types";
import { Copyable } from "./copy";
import { Icon } from "./icon";

/** Why a job failed: what happened, what it means, and what to do. */
export function WhyFailed({ job }: { job: JobDetail }): JSX.Element {
  const code = useCodes().data?.find((c) => c.id === job.code);
  const chain = job.ended?.exception?.split("\n").filter((line) => line !== "") ?? [];
  return (
    <section className="why" aria-label="Why it failed">
      <Icon name="failed" />
      <div>
        <p className="why-title">
          <strong>{code?.title ?? "The job failed"}</strong> {job.code ? <code className="code-id">{job.code}</code> : null}
        </p>
        <p className="why-reason">{job.reason}</p>
        {code?.cause ? <p className="muted">{code.cause}</p> : null}
        {job.hint ? (
          <p>
            <strong>What to do: </strong>
            {job.hint}
          </p>
        ) : null}
        {job.ended?.retryable === true ? <p className="muted">The same job may succeed later without being changed.</p> : null}
        {chain.length > 1 ? (
          <details>
            <summary>The chain of errors</summary>
            <ol className="chain">
              {chain.map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ol>
          </details>
        ) : null}
        <p className="small muted">
          The same in a terminal: <Copyable text={`hyperctl workflow show ${job.id}`} what="the command" />
        </p>
      </div>
    </section>
  );
}
