import type { Problem } from "./types";

/** An answer that says what went wrong, or none at all. */
export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = "ApiError";
    this.problem = problem;
  }
}

const unreachable: Problem = {
  title: "The server does not answer",
  status: 0,
  detail: "hyperctl serve does not answer",
  code: "",
  hint: "Is it running, and is this machine still reached?",
};

/** Asks the API and returns the response when it is good. */
export async function send(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers: { Accept: "application/json", ...init.headers } });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(unreachable);
  }
  if (response.ok) return response;
  throw new ApiError(await problemOf(response));
}

async function problemOf(response: Response): Promise<Problem> {
  const bare: Problem = { title: response.statusText, status: response.status, detail: `the server answered ${response.status}`, code: "" };
  try {
    return { ...bare, ...((await response.json()) as Partial<Problem>) };
  } catch {
    return bare; // not from our server: a proxy between
  }
}

export async function getJSON<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export async function postJSON<T>(path: string, body: object = {}): Promise<T> {
  const response = await send(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  return (await response.json()) as T;
}

/** Posts a manifest as it was written. */
export async function postText<T>(path: string, kind: "json" | "yaml", text: string, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method: "POST", headers: { "Content-Type": `application/${kind}`, ...headers }, body: text };
  if (signal) init.signal = signal;
  const response = await send(path, init);
  return (await response.json()) as T;
}

/** Path of a job in the API. */
export function jobPath(id: string, rest = ""): string {
  return `/api/workflow/jobs/${encodeURIComponent(id)}${rest}`;
}
