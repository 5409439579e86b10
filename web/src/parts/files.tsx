import type { JSX } from "react";
import { jobPath } from "../api/client";
import type { DiskReport, JobDetail, Report } from "../api/types";
import { bytes } from "../text/format";
import { Copyable } from "./copy";
import { Icon } from "./icon";

/** What stands in the output directory, and the commands that use it. */
export function Files({ job, report }: { job: JobDetail; report: Report }): JSX.Element {
  const dir = job.output_dir ?? "";
  const small = ["report.json", report.domain_xml, report.boot_test?.serial_log, report.boot_test?.screenshot].filter((f): f is string => f !== undefined && f !== "");
  return (
    <>
      <p>
        <span className="muted">In </span>
        <Copyable text={dir} what="the directory" />
      </p>
      {report.domain_xml ? (
        <p>
          <span className="muted">Next: </span>
          <Copyable text={`virsh define ${dir}/${report.domain_xml}`} what="the command" />
        </p>
      ) : null}
      <ul className="files">
        {(report.disks ?? []).map((d) => (
          <li key={d.output}>
            <DiskFile disk={d} />
          </li>
        ))}
        {small.map((name) => (
          <SmallFile key={name} job={job} name={name} />
        ))}
      </ul>
      {report.boot_test?.screenshot ? <Screen job={job} name={report.boot_test.screenshot} why={report.boot_test.why} /> : null}
    </>
  );
}

/** What is left of a boot test that failed the job: its output is gone, and these stay. */
export function Evidence({ job }: { job: JobDetail }): JSX.Element | null {
  const left = job.evidence ?? [];
  if (left.length === 0) return null;
  return (
    <section className="panel" aria-label="What the boot test saw">
      <h2>What the boot test saw</h2>
      {left.filter(isPicture).map((name) => (
        <Screen key={name} job={job} name={name} why={job.reason ?? ""} />
      ))}
      <ul className="files">
        {left.map((name) => (
          <SmallFile key={name} job={job} name={name} />
        ))}
      </ul>
    </section>
  );
}

const isPicture = (name: string): boolean => name.endsWith(".png");

function SmallFile({ job, name }: { job: JobDetail; name: string }): JSX.Element {
  return (
    <li>
      <Icon name="file" />
      <div>
        <a href={filePath(job, name)} download={name}>
          {name}
        </a>
      </div>
    </li>
  );
}

function Screen({ job, name, why }: { job: JobDetail; name: string; why: string }): JSX.Element {
  return (
    <figure className="screenshot">
      <img src={filePath(job, name)} alt={`The screen of the VM in its boot test: ${why}`} />
      <figcaption className="muted">The screen at the end of the boot test</figcaption>
    </figure>
  );
}

const filePath = (job: JobDetail, name: string): string => jobPath(job.id, `/files/${encodeURIComponent(name)}`);

function DiskFile({ disk }: { disk: DiskReport }): JSX.Element {
  return (
    <>
      <Icon name="system" />
      <div>
        <strong>{disk.output}</strong> <span className="muted">{bytes(disk.output_bytes)}, from </span>
        <code>{disk.source}</code> <span className="muted">({disk.source_variant ? `${disk.source_format}, ${disk.source_variant}` : disk.source_format})</span>
        <p className={disk.proved ? "good small" : "warn small"}>
          <Icon name={disk.proved ? "done" : "failures"} />
          {disk.proved ? "Read back: every byte equals the source" : "Not read back"}
        </p>
        <p className="muted small">
          {bytes(disk.virtual_size)} as the guest sees it, {bytes(disk.allocated_bytes)} of it with data
          {disk.chain && disk.chain.length > 1 ? `, from a chain of ${disk.chain.length} files` : ""}
        </p>
        <p className="small digest">
          <span className="muted">SHA-256 of the content: </span>
          <code>{disk.content_digest}</code>
        </p>
      </div>
    </>
  );
}
