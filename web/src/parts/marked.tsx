import type { JSX } from "react";
import { pieces } from "../text/search";

/** A text in which what is searched for is marked. */
export function Marked({ text, words }: { text: string; words: string }): JSX.Element {
  return (
    <>
      {pieces(text, words).map((piece, i) =>
        // Found pieces are every other one.
        // oxlint-disable-next-line react/no-array-index-key
        i % 2 === 1 ? <mark key={i}>{piece}</mark> : piece,
      )}
    </>
  );
}
