import { useQuery } from "@tanstack/react-query";
import { useEffect, type JSX } from "react";
import { Link, useLocation, useSearch } from "wouter";
import { ApiError, getJSON, jobPath } from "../api/client";
import { useJob, useReport } from "../api/queries";
import type { JobDetail, Plan, Report } from "../api/types";
import { BootResult } from "../parts/bootresult";
import { Copyable } from "../parts/copy";
import { Empty, Loading } from "../parts/empty";
import { Facts } from "../parts/facts";
import { Evidence, Files } from "../parts/files";
import { Heading } from "../parts/heading";
import { Icon } from "../parts/icon";
import { JobActions } from "../parts/jobactions";
import { JobProgress } from "../parts/jobprogress";
import { jobHref } from "../parts/link";
import { LogView } from "../parts/logview";
import { PlanView } from "../parts/planview";
import { Repairs } from "../parts/repairs";
import { Stages } from "../parts/stages";
import { StateBadge } from "../parts/state";
import { Tabs, type Tab } from "../parts/tabs";
import { Trouble } from "../parts/trouble";
import { Warnings } from "../parts/warnings";
import { WhyFailed } from "../parts/whyfailed";
import { bytes, duration, moment } from "../text/format";
import { normalPriority, priorityWord } from "../text/priority";
import { stagesOf } from "../text/stages";
import { canPrioritize } from "../text/verbs";

/** Everything about one job. */
export function JobPage(): JSX.Element {
  const params = new URLSearchParams(useSearch());
  const asked = params.get("id") ?? "";
  const [, navigate] = useLocation();
  const query = useJob(asked);
  const job = query.data;

  // An entry is known by its name until the daemon takes it; then by its id, under which it is found for good.
  const found = job?.id;
  const tab = params.get("tab") ?? "";
  useEffect(() => {
    if (found && found !== asked) navigate(jobHref(found, tab), { replace: true });
  }, [found, asked, tab, navigate]);

  const gone = query.error instanceof ApiError && query.error.problem.status === 404; // retried, maybe: it has another id then
  if (query.error && (gone || !job)) {
    return (
      <>
        <Heading title={asked || "Job"} />
        <Trouble error={query.error} retry={() => void query.refetch()} />
        <p>
          <Link href={`/jobs?${new URLSearchParams({ q: asked }).toString()}`}>Look for it in the list</Link>
        </p>
      </>
    );
  }
  if (!job) return <Loading what="the job" />;
  return <JobView key={job.id} job={job} tab={tab} />;
}

function JobView({ job, tab }: { job: JobDetail; tab: string }): JSX.Element {
  const [, navigate] = useLocation();
  const report = useReport(job.id, job.has_report);
  const warnings = report.data?.warnings ?? job.ended?.warnings ?? [];
  const stages = stagesOf(job, report.data?.stages);
  const tabs = tabsOf(job, report.data);
  return (
    <>
      <Link href="/jobs" className="back">
        All jobs
      </Link>
      <Heading title={job.name} tab={job.name}>
        <StateBadge state={job.state} />
        <JobActions job={job} />
      </Heading>
      {job.state === "failed" ? <WhyFailed job={job} /> : null}
      <Evidence job={job} />
      {(job.state === "waiting" || job.state === "ignored") && job.reason ? (
        <div className="note note-warn">
          <Icon name={job.state} />
          <p>{job.reason}</p>
        </div>
      ) : null}
      {job.state === "running" ? (
        <div className="panel">
          <JobProgress job={job} />
        </div>
      ) : null}
      {report.data?.boot_test ? <BootResult test={report.data.boot_test} /> : null}
      {stages.length > 0 ? (
        <section aria-label="Stages">
          <Stages stages={stages} />
        </section>
      ) : null}
      <Warnings warnings={warnings} />
      <Tabs label="About this job" tabs={tabs} current={tab} choose={(key) => navigate(jobHref(job.id, key), { replace: true })} />
    </>
  );
}

function tabsOf(job: JobDetail, report: Report | undefined): Tab[] {
  const running = job.state === "running";
  const summary: Tab = { key: "summary", name: "Summary", body: () => <Summary job={job} report={report} /> };
  const log: Tab = { key: "log", name: "Log", body: () => <LogView id={job.id} running={running} /> };
  const tabs: Tab[] = [];
  if (running) tabs.push(log, summary);
  else tabs.push(summary, ...(job.has_log ? [log] : []));
  if (report) {
    tabs.push({ key: "changes", name: "Changes", count: report.repairs?.length, body: () => <Repairs report={report} /> });
    tabs.push({ key: "files", name: "Files", body: () => <Files job={job} report={report} /> });
    tabs.push({ key: "report", name: "Report", body: () => <Document document={report} name="report" /> });
  }
  if (job.state === "queued" || job.state === "waiting" || job.state === "failed") tabs.push({ key: "plan", name: "Plan", body: () => <JobPlan id={job.id} /> });
  if (job.record) tabs.push({ key: "record", name: "Record", body: () => <Document document={job.record} name="record" /> });
  return tabs;
}

function Summary({ job, report }: { job: JobDetail; report: Report | undefined }): JSX.Element {
  return (
    <Facts
      of={[
        ["VM", report?.name],
        ["Id", <Copyable key="id" text={job.id} what="the id" />],
        ["Kind", job.kind],
        ["Priority", job.priority === normalPriority && !canPrioritize(job) ? undefined : priorityWord(job.priority)],
        ["Size of the source", job.size === undefined ? undefined : bytes(job.size)],
        ["Queued", moment(job.queued_at)],
        ["Started", moment(job.started_at)],
        ["Ended", moment(job.finished_at)],
        ["Took", job.started_at ? duration(job.elapsed_seconds) : undefined],
        ["Source now", <code key="path" className="path">{job.path}</code>],
        ["Output", job.output_dir ? <code className="path">{job.output_dir}</code> : undefined],
        ["Program", report ? `version ${report.version}` : undefined],
      ]}
    />
  );
}

function Document({ document, name }: { document: unknown; name: string }): JSX.Element {
  return (
    <pre className="log document" tabIndex={0} aria-label={`The ${name} of the job`}>
      {JSON.stringify(document, null, 2)}
    </pre>
  );
}

function JobPlan({ id }: { id: string }): JSX.Element {
  const plan = useQuery({ queryKey: ["plan", id], queryFn: ({ signal }) => getJSON<{ plans: Plan[] }>(jobPath(id, "/plan"), signal), retry: false });
  if (plan.error) return <Trouble error={plan.error} retry={() => void plan.refetch()} />;
  if (!plan.data) return <Loading what="the source" />;
  if (plan.data.plans.length === 0) return <Empty title="There is nothing to plan." />;
  return (
    <>
      {plan.data.plans.map((p) => (
        <PlanView key={p.name} plan={p} />
      ))}
    </>
  );
}
