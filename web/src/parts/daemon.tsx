import type { JSX } from "react";
import type { Liveness, Status } from "../api/types";
import { Icon, type IconName } from "./icon";

const words: Record<Liveness, { word: string; icon: IconName; tone: string }> = {
  running: { word: "Running", icon: "done", tone: "done" },
  starting: { word: "Starting", icon: "queued", tone: "queued" },
  hung: { word: "Hung", icon: "failures", tone: "failed" },
  "not-running": { word: "Stopped", icon: "stop", tone: "failed" },
  "never-started": { word: "Never started", icon: "stop", tone: "waiting" },
};

/** Whether the daemon lives, in a word. */
export function DaemonBadge({ status }: { status: Status }): JSX.Element {
  const { word, icon, tone } = status.paused ? { word: "Paused", icon: "pause" as const, tone: "waiting" } : words[status.liveness];
  return (
    <span className={`badge badge-${tone}`}>
      <Icon name={icon} />
      <span className="sr">Daemon: </span>
      {word}
    </span>
  );
}

/** What a person should know before anything else: the daemon does not run, the queue is paused, something is wrong. */
export function DaemonNotes({ status }: { status: Status }): JSX.Element | null {
  if (status.liveness === "not-running" || status.liveness === "never-started") {
    return (
      <div className="note note-bad">
        <Icon name="stop" />
        <div>
          <p>
            <strong>The daemon does not run, so nothing is converted.</strong>
          </p>
          <p>
            What is submitted waits and is not lost. Start it with <code>systemctl start hyper2kvm-workflow</code>, or{" "}
            <code>hyper2kvmd --workflow-dir {status.workflow_dir}</code>.
          </p>
        </div>
      </div>
    );
  }
  if (status.liveness === "hung") {
    return (
      <div className="note note-bad">
        <Icon name="failures" />
        <div>
          <p>
            <strong>The daemon holds the queue and says nothing.</strong>
          </p>
          <p>Its log says why. Its last sign of life was {Math.round(status.heartbeat_age_seconds ?? 0)} seconds ago.</p>
        </div>
      </div>
    );
  }
  if (!status.paused && status.reasons.length === 0) return null;
  return (
    <div className="note note-warn">
      <Icon name={status.paused ? "pause" : "failures"} />
      <div>
        <p>
          <strong>{status.paused ? "The queue is paused: no further job starts." : "The daemon says:"}</strong>
        </p>
        {status.reasons.map((reason) => (
          <p key={reason}>{reason}</p>
        ))}
      </div>
    </div>
  );
}
