import type { JSX } from "react";
import type { Job } from "../api/types";
import { bytes, duration, moment } from "../text/format";
import { nextSort, type Sort, type SortKey } from "../text/listing";
import { normalPriority } from "../text/priority";
import { canPrioritize } from "../text/verbs";
import { Icon } from "./icon";
import { JobProgress } from "./jobprogress";
import { JobLink } from "./link";
import { PriorityMark } from "./priority";
import { StateBadge } from "./state";

interface JobTableProps {
  jobs: readonly Job[];
  sort: Sort;
  setSort: (sort: Sort) => void;
  marked: ReadonlyMap<string, Job>;
  mark: (rows: readonly Job[], on: boolean) => void;
}

const columns: readonly { key?: SortKey; name: string; className: string }[] = [
  { key: "name", name: "Job", className: "" },
  { key: "state", name: "State", className: "col-state" },
  { name: "Stage and progress", className: "col-progress" },
  { key: "size", name: "Size", className: "col-size" },
  { key: "time", name: "When", className: "col-time" },
];

/** The list of jobs. On narrow screens what the columns say stands below the name. */
export function JobTable({ jobs, sort, setSort, marked, mark }: JobTableProps): JSX.Element {
  const all = jobs.every((j) => marked.has(j.id));
  return (
    <table className="jobs">
      <caption className="sr">Jobs</caption>
      <thead>
        <tr>
          <th className="col-mark" scope="col">
            <label className="tick">
              <input type="checkbox" checked={all} onChange={(e) => mark(jobs, e.target.checked)} />
              <span className="sr">Mark all on this page</span>
            </label>
          </th>
          {columns.map((c) => (
            <th key={c.name} className={c.className} scope="col" {...(c.key ? { "aria-sort": ariaSort(sort, c.key) } : {})}>
              {c.key ? <SortButton name={c.name} sortKey={c.key} sort={sort} setSort={setSort} /> : c.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <Row key={job.id} job={job} marked={marked.has(job.id)} mark={(on) => mark([job], on)} />
        ))}
      </tbody>
    </table>
  );
}

function ariaSort(sort: Sort, key: SortKey): "ascending" | "descending" | "none" {
  if (sort === key) return "ascending";
  return sort === `-${key}` ? "descending" : "none";
}

interface SortButtonProps {
  name: string;
  sortKey: SortKey;
  sort: Sort;
  setSort: (sort: Sort) => void;
}

function SortButton({ name, sortKey, sort, setSort }: SortButtonProps): JSX.Element {
  return (
    <button type="button" className="sort" onClick={() => setSort(nextSort(sort, sortKey))}>
      {name}
      {sort === sortKey ? <Icon name="down" /> : null}
      {sort === `-${sortKey}` ? <Icon name="up" /> : null}
    </button>
  );
}

function Row({ job, marked, mark }: { job: Job; marked: boolean; mark: (on: boolean) => void }): JSX.Element {
  return (
    <tr className={marked ? "row-marked" : ""}>
      <td className="col-mark">
        <label className="tick">
          <input type="checkbox" checked={marked} onChange={(e) => mark(e.target.checked)} />
          <span className="sr">Mark {job.name}</span>
        </label>
      </td>
      <td className="col-name">
        <JobLink id={job.id}>{job.name}</JobLink>
        <div className="only-narrow">
          <StateBadge state={job.state} /> <PriorityMark job={job} /> <span className="muted small">{moment(job.finished_at ?? job.started_at ?? job.queued_at)}</span>
        </div>
        {job.code ? (
          <p className="small clamp">
            <code className="code-id">{job.code}</code> {job.reason}
          </p>
        ) : job.reason ? (
          <p className="muted small clamp">{job.reason}</p>
        ) : null}
        {job.state === "running" ? (
          <div className="only-narrow">
            <JobProgress job={job} />
          </div>
        ) : null}
      </td>
      <td className="col-state">
        <StateBadge state={job.state} />
      </td>
      <td className="col-progress">{job.state === "running" ? <JobProgress job={job} /> : <Outcome job={job} />}</td>
      <td className="col-size">{job.size === undefined ? "" : bytes(job.size)}</td>
      <td className="col-time">{moment(job.finished_at ?? job.started_at ?? job.queued_at)}</td>
    </tr>
  );
}

function Outcome({ job }: { job: Job }): JSX.Element {
  if (canPrioritize(job) && job.priority !== normalPriority) return <PriorityMark job={job} />;
  if (job.state !== "done" && job.state !== "failed") return <span className="muted">–</span>;
  return (
    <span className="muted">
      after {duration(job.elapsed_seconds)}
      {job.warnings ? `, ${job.warnings} ${job.warnings === 1 ? "warning" : "warnings"}` : ""}
    </span>
  );
}
