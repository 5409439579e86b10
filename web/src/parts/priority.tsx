import { useEffect, useRef, useState, type JSX } from "react";
import type { Job } from "../api/types";
import { firstPriority, lastPriority, namedPriorities, normalPriority, priorityWord } from "../text/priority";
import { canPrioritize } from "../text/verbs";
import { Confirm } from "./confirm";
import { Icon } from "./icon";

/** The priority of a job that has not started; of one that has, it says nothing any more. The usual one is left out. */
export function PriorityMark({ job }: { job: Job }): JSX.Element | null {
  if (!canPrioritize(job) || job.priority === normalPriority) return null;
  return (
    <span className={job.priority > normalPriority ? "badge badge-running" : "badge"}>
      <Icon name={job.priority > normalPriority ? "sooner" : "later"} />
      <span className="sr">Priority: </span>
      {priorityWord(job.priority)}
    </span>
  );
}

interface ChoosePriorityProps {
  title: string;
  /** The choice that is made already. */
  now: number;
  onDo: (priority: number) => void;
  onClose: () => void;
}

const another = "another";

/** Asks for a priority, by name or as a number. */
export function ChoosePriority({ title, now, onDo, onClose }: ChoosePriorityProps): JSX.Element {
  const [choice, setChoice] = useState(namedPriorities.some((p) => p.value === now) ? String(now) : another);
  const [number, setNumber] = useState(String(now));
  const chosen = useRef<HTMLInputElement>(null);
  useEffect(() => chosen.current?.focus(), []); // the dialog itself would begin with the first choice, whichever is made
  return (
    <Confirm title={title} verb="Set the priority" onDo={() => onDo(Number(choice === another ? number : choice))} onClose={onClose}>
      <p>Of the jobs that can start, one with a higher priority starts first; of equal ones the one that has waited longest.</p>
      <fieldset className="choices">
        <legend className="sr">Priority</legend>
        {namedPriorities.map(({ value, word }) => (
          <label key={value} className="choice">
            <input ref={choice === String(value) ? chosen : null} type="radio" name="priority" checked={choice === String(value)} onChange={() => setChoice(String(value))} />
            {word} <span className="muted">{value}</span>
          </label>
        ))}
        <div className="choice">
          <label className="choice-name">
            <input ref={choice === another ? chosen : null} type="radio" name="priority" checked={choice === another} onChange={() => setChoice(another)} />
            A number
          </label>
          <input
            type="number"
            required
            min={lastPriority}
            max={firstPriority}
            disabled={choice !== another}
            aria-label={`Priority, ${lastPriority} (last) to ${firstPriority} (first)`}
            value={number}
            onChange={(e) => setNumber(e.target.value)}
          />
          <span className="muted small">
            {lastPriority} is last, {firstPriority} first
          </span>
        </div>
      </fieldset>
    </Confirm>
  );
}
