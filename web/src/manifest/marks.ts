import type { ManifestProblem } from "../api/types";

/** A problem as a range of the text, in units of UTF-16 as editors and strings count. */
export interface Mark {
  from: number;
  to: number;
  severity: "error" | "warning";
  message: string;
}

/** Places the problems of the API, which count lines and characters from 1, on a text. Line 0 is the file as a whole. */
export function marksOf(text: string, problems: readonly ManifestProblem[]): Mark[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return problems.map((p) => {
    const line = Math.min(Math.max(p.line, 1), starts.length);
    const begin = starts[line - 1] ?? 0;
    const end = line < starts.length ? (starts[line] ?? text.length) - 1 : text.length;
    const content = text.slice(begin, end);
    const from = begin + utf16(content, p.column - 1);
    const to = begin + utf16(content, p.end_column - 1);
    const message = p.hint ? `${p.message}; ${p.hint}` : p.message;
    return { from, to: Math.max(to, Math.min(from + 1, end)), severity: p.severity, message: `${p.code}: ${message}` };
  });
}

/** Where the n-th character of a line is: characters beyond the first plane are two units. */
function utf16(line: string, n: number): number {
  let units = 0;
  let left = Math.max(n, 0);
  for (const character of line) {
    if (left-- === 0) break;
    units += character.length;
  }
  return units;
}
