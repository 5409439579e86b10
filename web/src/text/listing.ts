import type { State } from "../api/types";

/** What the list of jobs shows, as it stands in the address of the page. */
export interface Listing {
  states: State[];
  q: string;
  sort: Sort;
  date: string;
  /** Cursors of the pages on the way to this one, this one's last; none on the first page. */
  trail: string[];
}

export const states: readonly State[] = ["running", "queued", "waiting", "failed", "done", "ignored"];
const sorts = ["state", "name", "time", "size", "-state", "-name", "-time", "-size"] as const;
export type Sort = (typeof sorts)[number];
export type SortKey = "state" | "name" | "time" | "size";

export const pageSize = 50;

export function parseListing(search: string): Listing {
  const params = new URLSearchParams(search);
  const asked = (params.get("state") ?? "").split(",");
  const sort = sorts.find((s) => s === params.get("sort")) ?? "state";
  return {
    states: states.filter((s) => asked.includes(s)),
    q: (params.get("q") ?? "").slice(0, 200),
    sort,
    date: /^\d{4}-\d{2}-\d{2}$/.test(params.get("date") ?? "") ? (params.get("date") ?? "") : "",
    trail: (params.get("page") ?? "").split(".").filter((c) => /^[A-Za-z0-9_-]+$/.test(c)),
  };
}

/** The search part of the page's address; what is as usual is left out. */
export function formatListing(l: Listing): string {
  const params = new URLSearchParams();
  if (l.states.length > 0) params.set("state", l.states.join(","));
  if (l.q !== "") params.set("q", l.q);
  if (l.sort !== "state") params.set("sort", l.sort);
  if (l.date !== "") params.set("date", l.date);
  if (l.trail.length > 0) params.set("page", l.trail.join("."));
  return params.toString();
}

/** The parameters that the API is asked with. */
export function listingQuery(l: Listing): string {
  const params = new URLSearchParams({ limit: String(pageSize), sort: l.sort });
  if (l.states.length > 0) params.set("status", l.states.join(","));
  if (l.q.trim() !== "") params.set("q", l.q.trim());
  if (l.date !== "") params.set("date", l.date);
  const cursor = l.trail.at(-1);
  if (cursor !== undefined) params.set("cursor", cursor);
  return params.toString();
}

/** The other filter or order begins on the first page. */
export function change(l: Listing, to: Partial<Omit<Listing, "trail">>): Listing {
  return { ...l, ...to, trail: [] };
}

/** The order when the head of a column is clicked: that column, then the other way around. */
export function nextSort(now: Sort, key: SortKey): Sort {
  return now === key ? `-${key}` : key;
}
