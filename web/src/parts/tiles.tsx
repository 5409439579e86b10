import type { JSX, ReactNode } from "react";
import { Link } from "wouter";
import type { Status } from "../api/types";
import { capital, roughly } from "../text/format";
import { useNow } from "./now";

interface TileProps {
  name: string;
  value: ReactNode;
  note?: string;
  tone?: "good" | "bad" | "run";
  href?: string;
}

function Tile({ name, value, note, tone, href }: TileProps): JSX.Element {
  return (
    <li className={tone ? `tile tile-${tone}` : "tile"}>
      <span className="tile-name">{href ? <Link href={href}>{name}</Link> : name}</span>
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
      <Tile name="Mode" value={status.mode ? capital(status.mode) : "None yet"} note={status.mode === "manifest" ? "manifests" : "disks, manifests"} />
      <Tile name="Queue depth" value={status.queue_depth} note={status.counts.waiting > 0 ? `${status.counts.waiting} waiting` : "none waits"} href="/jobs?state=queued,waiting" />
      <Tile name="Active jobs" value={status.active_jobs} note={`of ${status.max_workers} at a time`} {...(status.active_jobs > 0 ? { tone: "run" as const } : {})} href="/jobs?state=running" />
      <Tile name="Max workers" value={status.max_workers} note={`${status.busy} busy`} />
      <Tile name="Processed (today)" value={status.processed_today} {...(status.processed_today > 0 ? { tone: "good" as const } : {})} href="/jobs?state=done" />
      <Tile name="Failed (today)" value={status.failed_today} {...(status.failed_today > 0 ? { tone: "bad" as const } : {})} href="/failures" />
      <Tile name="Uptime" value={status.running ? roughly(uptime) : "–"} note={status.version ? `version ${status.version}` : ""} />
    </ul>
  );
}
