export interface LogLine {
  time: string;
  stage: string;
  text: string;
  /** What kind of line it is: one that tells of a failure, of a warning, or neither. */
  tone: "bad" | "warn" | "";
}

/** Takes a line of a job's log apart: time, stage, message. A line that is none comes out whole. */
export function parseLogLine(line: string): LogLine {
  const m = /^\d{4}-\d{2}-\d{2}T(\d{2}:\d{2}:\d{2})\S*\s+(\S+)\s+(.*)$/.exec(line);
  const text = m?.[3] ?? line;
  return { time: m?.[1] ?? "", stage: m?.[2] ?? "", text, tone: /^(failed|error)\b/i.test(text) ? "bad" : /^warning\b/i.test(text) ? "warn" : "" };
}

/** How many lines a page keeps of a log; the whole of it is one click away. */
export const maxLines = 5000;

/** Adds a piece of a log to the lines so far; the last line may be incomplete until more comes. */
export function appendLog(lines: readonly string[], piece: string): string[] {
  const all = [...lines];
  const parts = piece.split("\n");
  all[Math.max(all.length - 1, 0)] = (all.at(-1) ?? "") + (parts[0] ?? "");
  all.push(...parts.slice(1));
  return all.length > maxLines ? all.slice(-maxLines) : all;
}
