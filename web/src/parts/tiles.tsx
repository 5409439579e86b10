import type { JSX, ReactNode } from "react";
import { Link } from "wouter";
import type { Status } from "../api/types";
import { capital, duration } from "../text/format";
import { Icon, type IconName } from "./icon";
import { useNow } from "./now";

interface TileProps {
  name: string;
  icon: IconName;
  value: ReactNode;
  note?: string;
  tone?: "good" | "bad" | "run";
  href?: string;
}

function Tile({ name, icon, value, note, tone, href }: TileProps): JSX.Element {
  return (
    <li className={tone ? `tile tile-${tone}` : "tile"}>
      <span className="tile-name">
        <Icon name={icon} />
        {href ? <Link href={href}>{name}</Link> : name}
      </span>
      <span className="tile-value">{value}</span>
      {note ? <span className="muted small">{note}</span> : null}
    </li>
  );
}

/** The numbers of the queue. */
export function Tiles({ status }: { status: Status }): JSX.Element {
  const now = useNow();
  const uptime = status.running && status.started_at ? (now - Date.parse(status.started_at)) / 1000 : 0;
  return (
    <ul className="tiles" aria-label="Queue statistics">
      <Tile name="Mode" icon="info" value={status.mode ? capital(status.mode) : "None yet"} note={status.mode === "manifest" ? "takes manifests" : "takes disks and manifests"} />
      <Tile name="Queue depth" icon="queued" value={status.queue_depth} note={status.counts.waiting > 0 ? `${status.counts.waiting} waiting` : "queued and waiting"} href="/jobs?state=queued,waiting" />
      <Tile name="Active jobs" icon="running" value={status.active_jobs} note={`of ${status.max_workers} at a time`} {...(status.active_jobs > 0 ? { tone: "run" as const } : {})} href="/jobs?state=running" />
      <Tile name="Max workers" icon="jobs" value={status.max_workers} note={`${status.busy} busy`} />
      <Tile name="Processed (today)" icon="done" value={status.processed_today} {...(status.processed_today > 0 ? { tone: "good" as const } : {})} href="/jobs?state=done" />
      <Tile name="Failed (today)" icon="failed" value={status.failed_today} {...(status.failed_today > 0 ? { tone: "bad" as const } : {})} href="/failures" />
      <Tile name="Uptime" icon="overview" value={status.running ? duration(uptime) : "–"} note={status.version ? `version ${status.version}` : ""} />
    </ul>
  );
}
