import { useEffect, useState } from "react";
import { jobPath, send } from "../api/client";
import { appendLog, maxLines } from "../text/logline";

export interface FollowedLog {
  lines: readonly string[];
  /** The log goes on, and this page reads along. */
  following: boolean;
  error: unknown;
}

/** Reads the log of a job, and goes on with it while the job runs. Pieces come in bursts: the page is drawn once for each frame. */
export function useLog(id: string, running: boolean): FollowedLog {
  const [log, setLog] = useState<FollowedLog>({ lines: [], following: false, error: null });
  useEffect(() => {
    const stop = new AbortController();
    void read(id, running, stop.signal, setLog);
    return () => stop.abort();
  }, [id, running]);
  return log;
}

type SetLog = (log: FollowedLog) => void;

async function read(id: string, running: boolean, signal: AbortSignal, set: SetLog): Promise<void> {
  let lines: string[] = [];
  let drawn = 0;
  const draw = (following: boolean, error: unknown = null): void => {
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(() => (signal.aborted ? undefined : set({ lines, following, error })));
  };
  try {
    const params = new URLSearchParams({ tail: String(maxLines), ...(running ? { follow: "1" } : {}) });
    const response = await send(jobPath(id, `/log?${params.toString()}`), { signal, headers: { Accept: "text/plain" } });
    if (!response.body) return;
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      lines = appendLog(lines, decoder.decode(piece.value, { stream: true }));
      draw(running);
    }
    draw(false);
  } catch (error) {
    if (!signal.aborted) draw(false, error);
  }
}
