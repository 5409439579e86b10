import type { Job, Status } from "../src/api/types";

/** What the event stream of the server has told so far. */
export interface Told {
  status: Status | undefined;
  /** Jobs that run or have ended, by their id. */
  jobs: ReadonlyMap<string, Job>;
}

export interface Watch {
  /** Waits until what was told is so; it looks again with each event. */
  until: (what: string, so: (told: Told) => boolean, seconds?: number) => Promise<void>;
  end: () => void;
}

/** Listens to the events of a server, as the pages of the dashboard do. */
export function watchEvents(url: string): Watch {
  const stop = new AbortController();
  const jobs = new Map<string, Job>();
  const told: { -readonly [K in keyof Told]: Told[K] } = { status: undefined, jobs };
  const waiting = new Set<() => void>();
  let failed: unknown;
  const look = (): void => {
    for (const one of waiting) one();
  };
  const listen = async (): Promise<void> => {
    const response = await fetch(`${url}/api/workflow/events`, { signal: stop.signal });
    if (!response.body) throw new Error("the server has no events");
    let text = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) take(block);
      look();
    }
    throw new Error("the events have ended");
  };
  const take = (block: string): void => {
    const kind = /^event: (.*)$/m.exec(block)?.[1];
    const data = /^data: (.*)$/m.exec(block)?.[1] ?? "";
    if (kind === "status") told.status = JSON.parse(data) as Status;
    if (kind === "job") {
      const job = JSON.parse(data) as Job;
      jobs.set(job.id, job);
    }
  };
  listen().catch((error: unknown) => {
    failed = error;
    look();
  });
  return {
    until: (what, so, seconds = 60) =>
      new Promise((resolve, reject) => {
        const settle = (then: () => void): void => {
          clearTimeout(late);
          waiting.delete(one);
          then();
        };
        const one = (): void => {
          if (so(told)) settle(resolve);
          else if (failed !== undefined) settle(() => reject(new Error(`while waiting until ${what}`, { cause: failed })));
        };
        const late = setTimeout(() => settle(() => reject(new Error(`waited ${seconds} seconds until ${what}`))), seconds * 1000);
        waiting.add(one);
        one();
      }),
    end: () => stop.abort(),
  };
}
