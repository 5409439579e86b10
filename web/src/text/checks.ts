export type CheckState = "ok" | "warning" | "failed";

/** One check of the machine, as far as this page understands it. */
export interface Check {
  name: string;
  state: CheckState;
  text: string;
  fix: string;
}

/** Reads what hyperctl doctor -o json prints: a list of checks, each an object with its name, state, finding and fix line. */
export function parseChecks(document: unknown): Check[] {
  if (!Array.isArray(document)) return [];
  return document.filter(isRecord).map((c) => ({
    name: first(c, "title", "name", "id", "check"),
    state: stateOf(c),
    text: first(c, "detail", "found", "message", "finding", "why"),
    fix: first(c, "fix", "hint", "try"),
  }));
}

function isRecord(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null;
}

function first(c: Record<string, unknown>, ...names: string[]): string {
  for (const name of names) {
    const value = c[name];
    if (typeof value === "string" && value !== "") return value;
  }
  return "";
}

function stateOf(c: Record<string, unknown>): CheckState {
  const said = c["status"] ?? c["state"] ?? c["level"] ?? c["ok"];
  if (said === true || said === "ok" || said === "passed" || said === "good" || said === "info" || said === "skipped") return "ok";
  return said === "warning" || said === "warn" ? "warning" : "failed";
}
