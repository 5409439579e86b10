import type { QueryClient } from "@tanstack/react-query";
import type { Status } from "../api/types";
import { applyEvent, type EventKind } from "./cache";
import { addSample, type Samples } from "./samples";

/** How the page learns of changes: by the event stream, by asking every three seconds, or not at all. */
export type Mode = "connecting" | "live" | "polling" | "paused";

/** Failed attempts in a row after which the page asks by itself. */
const patience = 2;
/** While it asks by itself, the stream is tried again this often. */
const tryAgain = 30_000;
/** Changes within this time are read together. */
const gather = 400;

const kinds: EventKind[] = ["status", "job", "jobs", "reset"];

/** The one event stream of this page. Browsers open few connections to a host, so that it is closed while nobody looks. */
export class Feed {
  private source: EventSource | undefined;
  private failures = 0;
  private stopped = false;
  private staleKeys = new Set<string>();
  private timers = new Set<ReturnType<typeof setTimeout>>();
  private ticker: ReturnType<typeof setInterval> | undefined;
  private listeners = new Set<() => void>();
  private mode: Mode = "connecting";
  private samples: Samples;

  constructor(
    private readonly client: QueryClient,
    private readonly store: Storage,
  ) {
    this.samples = restore(store);
  }

  start(): void {
    document.addEventListener("visibilitychange", this.onVisibility);
    window.addEventListener("pagehide", this.onHide);
    this.ticker = setInterval(this.sample, 1000);
    this.onVisibility();
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.onVisibility);
    window.removeEventListener("pagehide", this.onHide);
    clearInterval(this.ticker);
    this.close();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly getMode = (): Mode => this.mode;
  readonly getSamples = (): Samples => this.samples;

  pause(): void {
    this.stopped = true;
    this.close();
    this.setMode("paused");
  }

  resume(): void {
    this.stopped = false;
    this.failures = 0;
    this.stale(["status", "jobs", "job", "failures", "history", "active"]);
    this.open();
  }

  private readonly onVisibility = (): void => {
    if (document.hidden) this.close();
    else if (!this.stopped && !this.source) this.open();
  };

  private readonly onHide = (): void => keep(this.store, this.samples);

  private open(): void {
    this.close();
    if (this.failures < patience) this.setMode("connecting");
    const source = new EventSource("/api/workflow/events");
    this.source = source;
    source.addEventListener("open", () => {
      if (this.failures > 0) this.stale(["status", "jobs", "job", "failures", "history", "active"]);
      this.failures = 0;
      this.setMode("live");
    });
    source.addEventListener("error", () => this.failed(source));
    for (const kind of kinds) {
      source.addEventListener(kind, (event: MessageEvent<string>) => applyEvent(this.client, kind, event.data, (keys) => this.stale(keys)));
    }
  }

  private failed(source: EventSource): void {
    this.failures++;
    if (this.failures >= patience) {
      this.close();
      this.setMode("polling");
      this.after(tryAgain, () => this.open());
    } else if (source.readyState === EventSource.CLOSED) {
      this.close(); // the answer was no stream: the browser does not try again by itself
      this.after(2000, () => this.open());
    } else {
      this.setMode("connecting");
    }
  }

  private close(): void {
    this.source?.close();
    this.source = undefined;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.flush();
  }

  private after(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, ms);
    this.timers.add(timer);
  }

  private stale(keys: string[]): void {
    if (this.staleKeys.size === 0) this.after(gather, () => this.flush());
    for (const key of keys) this.staleKeys.add(key);
  }

  private flush(): void {
    const keys = [...this.staleKeys];
    this.staleKeys.clear();
    for (const key of keys) void this.client.invalidateQueries({ queryKey: [key] });
  }

  private readonly sample = (): void => {
    const status = this.client.getQueryData<Status>(["status"]);
    if (!status || document.hidden || this.mode === "paused") return;
    this.samples = addSample(this.samples, Math.floor(Date.now() / 1000), status.running ? status.bytes_per_second : 0);
    this.tell();
  };

  private setMode(mode: Mode): void {
    if (this.mode === mode) return;
    this.mode = mode;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}

const storeKey = "hyper2kvm.samples";

function keep(store: Storage, samples: Samples): void {
  try {
    store.setItem(storeKey, JSON.stringify(samples));
  } catch {
    // A browser without room or leave to store keeps the plot for this page only.
  }
}

function restore(store: Storage): Samples {
  try {
    const s = JSON.parse(store.getItem(storeKey) ?? "") as Samples;
    if (Array.isArray(s.at) && Array.isArray(s.rate) && s.at.length === s.rate.length) return { at: s.at, rate: s.rate.map((r) => r ?? Number.NaN) };
  } catch {
    // Nothing was kept.
  }
  return { at: [], rate: [] };
}
