import type { JSX } from "react";
import { parseDiff, tally } from "../text/diff";

/** A unified diff. The sign at the beginning of a line says what its colour says. */
export function Diff({ text, name }: { text: string; name: string }): JSX.Element {
  const lines = parseDiff(text);
  const { added, removed } = tally(lines);
  return (
    <figure className="diff">
      <figcaption>
        <code>{name}</code>
        <span className="muted">
          {added} added, {removed} removed
        </span>
      </figcaption>
      {/* Long lines scroll inside; who has no mouse needs the focus here for that. */}
      <pre tabIndex={0} aria-label={`Changes of ${name}`}>
        {lines.map((line, i) => (
          // A diff never changes once it is there: the place of a line is its name.
          // oxlint-disable-next-line react/no-array-index-key
          <span key={i} className={`diff-${line.kind}`}>
            {line.text}
            {"\n"}
          </span>
        ))}
      </pre>
    </figure>
  );
}
