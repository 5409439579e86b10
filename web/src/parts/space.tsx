import type { JSX } from "react";
import type { Space } from "../api/types";
import { bytes } from "../text/format";
import { Icon } from "./icon";

/** A file system with less room than this for its size is worth a look. */
const lowShare = 0.1;

/** Room on the file systems that jobs write to. */
export function SpaceList({ space }: { space: readonly Space[] }): JSX.Element {
  return (
    <ul className="space">
      {space.map((s) => {
        const used = s.total > 0 ? (100 * (s.total - s.free)) / s.total : 0;
        const reserved = s.total > 0 ? (100 * Math.min(s.reserved, s.free)) / s.total : 0;
        const low = s.total > 0 && (s.free - s.reserved) / s.total < lowShare;
        return (
          <li key={s.dir}>
            <div className="row row-apart">
              <code className="path">{s.dir}</code>
              <span className={low ? "warn" : ""}>
                {low ? <Icon name="failures" /> : null}
                {bytes(s.free)} free of {bytes(s.total)}
                {low ? ", little" : ""}
              </span>
            </div>
            <div className="bar" role="img" aria-label={`${Math.round(used)} percent used, ${Math.round(reserved)} percent reserved`}>
              <div className="bar-used" style={{ width: `${used}%` }} />
              <div className="bar-reserved" style={{ width: `${reserved}%` }} />
            </div>
            {s.reserved > 0 ? <p className="muted small">{bytes(s.reserved)} reserved by running jobs</p> : null}
          </li>
        );
      })}
    </ul>
  );
}
