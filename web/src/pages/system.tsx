import { useQueryClient } from "@tanstack/react-query";
import type { JSX } from "react";
import { ApiError, send } from "../api/client";
import { useDoctor, useSession, useStatus } from "../api/queries";
import type { Finding, Status } from "../api/types";
import { Copyable } from "../parts/copy";
import { DaemonBadge, DaemonNotes } from "../parts/daemon";
import { Empty, Loading } from "../parts/empty";
import { Facts } from "../parts/facts";
import { Heading } from "../parts/heading";
import { Icon, type IconName } from "../parts/icon";
import { useNow } from "../parts/now";
import { Panel } from "../parts/panel";
import { SpaceList } from "../parts/space";
import { Trouble } from "../parts/trouble";
import { duration, moment } from "../text/format";

/** The daemon, the machine it runs on, and who is logged in. */
export function System(): JSX.Element {
  const status = useStatus();
  return (
    <>
      <Heading title="System">{status.data ? <DaemonBadge status={status.data} /> : null}</Heading>
      {status.error ? <Trouble error={status.error} retry={() => void status.refetch()} /> : null}
      {status.data ? <DaemonNotes status={status.data} /> : <Loading what="the status" />}
      <div className="columns">
        <div className="column-wide">
          {status.data ? <Daemon status={status.data} /> : null}
          <Doctor />
        </div>
        <div>
          {status.data ? (
            <Panel title="Free space">
              {status.data.space.length > 0 ? <SpaceList space={status.data.space} /> : <Empty title="The daemon has not said yet." />}
            </Panel>
          ) : null}
          <SessionPanel />
          <Panel title="For programs">
            <ul className="links">
              <li>
                <a href="/api/openapi.yaml">REST API (OpenAPI)</a>
              </li>
              <li>
                <a href="/api/schema/manifest">JSON schema of manifests</a>
              </li>
              <li>
                <a href="/metrics">Metrics for Prometheus</a>
              </li>
            </ul>
          </Panel>
        </div>
      </div>
    </>
  );
}

function Daemon({ status }: { status: Status }): JSX.Element {
  const now = useNow();
  return (
    <Panel title="Daemon">
      <Facts
        of={[
          ["State", status.state],
          ["Version", status.version],
          ["Mode", status.mode],
          ["Started", moment(status.started_at)],
          ["Stopped", moment(status.stopped_at)],
          ["Uptime", status.running && status.started_at ? duration((now - Date.parse(status.started_at)) / 1000) : undefined],
          ["Jobs at a time", status.max_workers],
          ["Workflow directory", <Copyable key="w" text={status.workflow_dir} what="the directory" />],
          ["Output directory", status.output_dir ? <Copyable text={status.output_dir} what="the directory" /> : undefined],
          ["New files are seen by", status.watching],
          ["Finished files are known by", status.readiness],
          ["Guests and boot tests run with", status.acceleration],
          ["Import roots", status.import_roots.length > 0 ? <Roots roots={status.import_roots} /> : undefined],
          ["Output roots", status.output_roots.length > 0 ? <Roots roots={status.output_roots} /> : undefined],
        ]}
      />
    </Panel>
  );
}

function Roots({ roots }: { roots: readonly string[] }): JSX.Element {
  return (
    <ul className="plain">
      {roots.map((root) => (
        <li key={root}>
          <code className="path">{root}</code>
        </li>
      ))}
    </ul>
  );
}

const marks: Record<Finding["verdict"], { icon: IconName; word: string; tone: string }> = {
  ok: { icon: "done", word: "Fine", tone: "good" },
  warn: { icon: "failures", word: "Look at this", tone: "warn" },
  fail: { icon: "failed", word: "Missing", tone: "bad" },
};

/** What the product needs from outside, each with the line that sets it right. */
function Doctor(): JSX.Element {
  const doctor = useDoctor();
  const missing = doctor.error instanceof ApiError && doctor.error.problem.status === 501;
  return (
    <Panel
      title="Doctor"
      aside={
        <button type="button" className="button" disabled={doctor.isFetching} onClick={() => void doctor.refetch()}>
          <Icon name="retry" />
          Check again
        </button>
      }
    >
      {missing ? (
        <Empty title="This server does not check the machine.">
          In a terminal on it: <Copyable text="hyperctl doctor" what="the command" />
        </Empty>
      ) : null}
      {doctor.error && !missing ? <Trouble error={doctor.error} /> : null}
      {doctor.isPending ? <Loading what="what the machine has" /> : null}
      <ul className="checks">
        {doctor.data?.map((c) => (
          <li key={c.check}>
            <span className={marks[c.verdict].tone}>
              <Icon name={marks[c.verdict].icon} />
              {marks[c.verdict].word}
            </span>
            <div>
              <strong>{c.check}</strong>
              <p>{c.detail}</p>
              {c.fix && c.verdict !== "ok" ? <p className="muted small">{c.fix}</p> : null}
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function SessionPanel(): JSX.Element | null {
  const client = useQueryClient();
  const session = useSession().data;
  if (!session) return null;
  const logOut = async (): Promise<void> => {
    await send("/api/session", { method: "DELETE" });
    client.clear();
    location.reload();
  };
  return (
    <Panel title="You">
      <Facts
        of={[
          ["Known as", session.name],
          ["You may", session.role === "full" ? "read and change everything" : "read, and change nothing"],
        ]}
      />
      {session.name === "anybody" ? (
        <p className="muted small">The server runs with --auth=none: whoever reaches it may do everything.</p>
      ) : (
        <button type="button" className="button" onClick={() => void logOut()}>
          Log out
        </button>
      )}
    </Panel>
  );
}
