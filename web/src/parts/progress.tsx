import type { JSX } from "react";

/** A bar with a name. value is percent; undefined when nobody knows how much there is to do. */
export function Progress({ value, label }: { value: number | undefined; label: string }): JSX.Element {
  return (
    <div
      className={value === undefined ? "bar bar-unknown" : "bar"}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      {...(value === undefined ? {} : { "aria-valuenow": Math.floor(value) })}
    >
      <div className="bar-done" style={{ width: `${value ?? 30}%` }} />
    </div>
  );
}
