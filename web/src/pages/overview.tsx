import { lazy, Suspense, type JSX } from "react";
import { Link } from "wouter";
import { useActive, useHistory, useStatus } from "../api/queries";
import type { Job, Status } from "../api/types";
import { DaemonBadge, DaemonNotes } from "../parts/daemon";
import { Empty, Loading } from "../parts/empty";
import { Heading } from "../parts/heading";
import { JobProgress } from "../parts/jobprogress";
import { JobLink } from "../parts/link";
import { Panel } from "../parts/panel";
import { QuickActions } from "../parts/quick";
import { SpaceList } from "../parts/space";
import { StateBadge } from "../parts/state";
import { Tiles } from "../parts/tiles";
import { Trouble } from "../parts/trouble";
import { count, duration } from "../text/format";

const Throughput = lazy(() => import("../parts/throughput"));
const Outcomes = lazy(() => import("../parts/outcomes"));

/** What goes on, at a glance. */
export function Overview(): JSX.Element {
  const status = useStatus();
  const active = useActive();
  const history = useHistory();
  return (
    <>
      <Heading title="Overview">{status.data ? <DaemonBadge status={status.data} /> : null}</Heading>
      {status.error ? <Trouble error={status.error} retry={() => void status.refetch()} /> : null}
      {status.data ? <DaemonNotes status={status.data} /> : null}
      <QuickActions />
      {status.data ? <Tiles status={status.data} /> : <Loading what="the status" />}
      <div className="columns">
        <div className="column-wide">
          <Panel title="Active jobs" aside={<Link href="/jobs">All jobs</Link>}>
            {active.data ? <ActiveJobs jobs={active.data.jobs} depth={status.data?.queue_depth ?? 0} /> : <Loading what="the jobs" />}
          </Panel>
          <Panel title="Throughput">
            <Suspense fallback={<Loading what="the plot" />}>
              <Throughput />
            </Suspense>
          </Panel>
        </div>
        <div>
          {status.data ? <Attention status={status.data} /> : null}
          <Panel title="Last 24 hours">
            <Suspense fallback={<Loading what="the plot" />}>{history.data ? <Outcomes history={history.data} /> : <Loading what="the counts" />}</Suspense>
          </Panel>
          <Panel title="Free space">{status.data && status.data.space.length > 0 ? <SpaceList space={status.data.space} /> : <Empty title="The daemon has not said yet." />}</Panel>
        </div>
      </div>
    </>
  );
}

function ActiveJobs({ jobs, depth }: { jobs: readonly Job[]; depth: number }): JSX.Element {
  if (jobs.length === 0) {
    return (
      <Empty title={depth > 0 ? `Nothing runs; ${count(depth, "entry", "entries")} queued or waiting.` : "Nothing runs, and nothing waits."}>
        {depth > 0 ? "" : "Drop a disk into the queue's to_be_processed directory, or submit a manifest."}
      </Empty>
    );
  }
  return (
    <ul className="active">
      {jobs.map((job) => (
        <li key={job.id}>
          <div className="active-name">
            <JobLink id={job.id}>{job.name}</JobLink>
            <span className="muted small">for {duration(job.elapsed_seconds)}</span>
          </div>
          <JobProgress job={job} />
        </li>
      ))}
    </ul>
  );
}

/** Entries that do not start by themselves, with the reason. */
function Attention({ status }: { status: Status }): JSX.Element | null {
  if (status.held.length === 0) return null;
  const shown = status.held.slice(0, 5);
  const more = status.held.length - shown.length + status.held_more;
  return (
    <Panel title="Waiting for something">
      <ul className="held">
        {shown.map((h) => (
          <li key={h.name}>
            <div className="row row-apart">
              <JobLink id={h.name}>{h.name}</JobLink>
              {h.state ? <StateBadge state={h.state} /> : null}
            </div>
            <p className="muted small">{h.reason}</p>
          </li>
        ))}
      </ul>
      {more > 0 ? <Link href="/jobs?state=waiting,ignored">{count(more, "more entry", "more entries")}</Link> : null}
    </Panel>
  );
}
