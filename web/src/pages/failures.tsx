import { useQueryClient } from "@tanstack/react-query";
import { useState, type JSX } from "react";
import { actOnAll } from "../api/actions";
import { useCodes, useFailures } from "../api/queries";
import type { FailureGroup } from "../api/types";
import { Empty, Loading } from "../parts/empty";
import { Heading } from "../parts/heading";
import { Icon } from "../parts/icon";
import { JobLink } from "../parts/link";
import { Panel } from "../parts/panel";
import { readOnlyReason, useMayWrite } from "../parts/role";
import { useSay } from "../parts/toasts";
import { Trouble } from "../parts/trouble";
import { count, moment } from "../text/format";

/** Failed jobs by their cause: one cause is often behind many of them. */
export function FailuresPage(): JSX.Element {
  const failures = useFailures();
  const groups = failures.data?.failures;
  const total = groups?.reduce((n, g) => n + g.count, 0) ?? 0;
  return (
    <>
      <Heading title="Failures" />
      {failures.error ? <Trouble error={failures.error} retry={() => void failures.refetch()} /> : null}
      {groups === undefined && !failures.error ? <Loading what="the failures" /> : null}
      {groups?.length === 0 ? <Empty title="No job has failed.">What fails is grouped here by its cause, with what to do about it.</Empty> : null}
      {groups && groups.length > 0 ? (
        <p className="muted">
          {count(total, "failed job")}, {count(groups.length, "cause")}
          {failures.data?.more ? "; older ones were not read" : ""}
        </p>
      ) : null}
      {groups?.map((g) => (
        <Group key={g.code} group={g} />
      ))}
      <Explain />
    </>
  );
}

/** So many of a group are named; the others are in the list of jobs. */
const shown = 8;

function Group({ group }: { group: FailureGroup }): JSX.Element {
  const client = useQueryClient();
  const say = useSay();
  const mayWrite = useMayWrite();
  const [busy, setBusy] = useState(false);
  const retry = async (): Promise<void> => {
    setBusy(true);
    const result = await actOnAll({ verb: "retry" }, group.ids);
    setBusy(false);
    if (result.done > 0) say("good", `${count(result.done, "job")} put back into the queue`);
    if (result.refused.length > 0) say("bad", `${count(result.refused.length, "job")} not retried: ${result.refused[0]?.why ?? ""}`);
    await client.invalidateQueries();
  };
  return (
    <Panel
      title={group.title || "Failed without a code"}
      className="failure"
      aside={
        <span className="row">
          {group.code ? <code className="code-id">{group.code}</code> : null}
          <strong>{count(group.count, "job")}</strong>
        </span>
      }
    >
      {group.cause ? <p>{group.cause}</p> : null}
      {group.hint ? (
        <p>
          <strong>What to do: </strong>
          {group.hint}
        </p>
      ) : null}
      <div className="newest">
        <p className="muted small">The newest, {moment(group.newest.finished_at)}</p>
        <p>
          <JobLink id={group.newest.id}>{group.newest.name}</JobLink>
        </p>
        <p className="small">{group.newest.reason}</p>
      </div>
      {group.ids.length > 1 ? (
        <details>
          <summary>The others</summary>
          <ul className="ids">
            {group.ids.slice(1, shown + 1).map((id) => (
              <li key={id}>
                <JobLink id={id}>{id}</JobLink>
              </li>
            ))}
          </ul>
          {group.count - 1 > shown ? <p className="muted small">and {group.count - 1 - shown} more, in the list of jobs</p> : null}
        </details>
      ) : null}
      <div className="row">
        <button type="button" className="button" disabled={!mayWrite || busy} {...(mayWrite ? {} : { title: readOnlyReason })} onClick={() => void retry()}>
          <Icon name="retry" />
          Retry {group.ids.length === 1 ? "it" : `all ${group.ids.length}`}
        </button>
        {group.retryable ? null : <span className="muted small">Fails again until the cause is gone</span>}
      </div>
    </Panel>
  );
}

/** What a code means, for who has one from a log or a terminal. */
function Explain(): JSX.Element {
  const codes = useCodes();
  const [text, setText] = useState("");
  const wanted = text.trim().toLowerCase();
  const hits = wanted.length < 2 ? [] : (codes.data ?? []).filter((c) => `${c.id} ${c.title}`.toLowerCase().includes(wanted));
  return (
    <Panel title="What a code means">
      <label className="search">
        <Icon name="search" />
        <span className="sr">A code or words of its title</span>
        <input type="search" placeholder="H2K-IMG-001, space, token …" value={text} onChange={(e) => setText(e.target.value)} />
      </label>
      <p className="sr" role="status">
        {wanted.length < 2 ? "" : count(hits.length, "code")}
      </p>
      <dl className="codes">
        {hits.slice(0, 12).map((c) => (
          <div key={c.id}>
            <dt>
              <code className="code-id">{c.id}</code> {c.title}
            </dt>
            <dd>
              <p>{c.cause}</p>
              <p className="muted">{c.hint}</p>
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
