import type { JSX } from "react";
import type { State } from "../api/types";
import { capital } from "../text/format";
import { Icon } from "./icon";

/** The state of a job as a drawing and a word. */
export function StateBadge({ state }: { state: State }): JSX.Element {
  return (
    <span className={`badge badge-${state}`}>
      <Icon name={state} />
      {capital(state)}
    </span>
  );
}
