export type LineKind = "add" | "remove" | "hunk" | "head" | "same";

export interface DiffLine {
  kind: LineKind;
  text: string;
}

/** Reads a unified diff by line. What is not one comes out as lines of context. */
export function parseDiff(diff: string): DiffLine[] {
  const lines = diff.replace(/\n$/, "").split("\n");
  let inHunk = false;
  return lines.map((text) => {
    if (text.startsWith("@@")) {
      inHunk = true;
      return { kind: "hunk", text };
    }
    // A removed line may begin with "-- " itself: only before the first hunk is it a file name.
    if (!inHunk && (text.startsWith("--- ") || text.startsWith("+++ "))) return { kind: "head", text };
    if (text.startsWith("+")) return { kind: "add", text };
    if (text.startsWith("-")) return { kind: "remove", text };
    return { kind: "same", text };
  });
}

export function tally(lines: readonly DiffLine[]): { added: number; removed: number } {
  return { added: lines.filter((l) => l.kind === "add").length, removed: lines.filter((l) => l.kind === "remove").length };
}
