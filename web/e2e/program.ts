import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Where the programs stand that are tested. */
export const bin = process.env["HYPER2KVM_BIN"] ?? join(import.meta.dirname, "../../bin");

/** A program that runs beside the tests. */
export interface Program {
  pid: number;
  /** The first line that it prints, or has printed, like this. */
  line: (like: RegExp) => Promise<RegExpExecArray>;
  end: () => Promise<void>;
}

/** Starts a program. What it prints goes to a file too, to be read when a test has failed. */
export function startProgram(name: string, args: readonly string[], log: string): Program {
  // One processor is enough.
  const child = spawn(join(bin, name), args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, GOMAXPROCS: "1" } });
  const stopChild = (): void => void child.kill("SIGKILL");
  process.once("exit", stopChild);
  const file = createWriteStream(log, { flags: "a" });
  const printed: string[] = [];
  const waiting = new Set<() => void>();
  let ended = false;
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (text) => {
      file.write(`${name}: ${text}\n`);
      printed.push(text);
      for (const look of waiting) look();
    });
  }
  child.once("close", () => {
    ended = true;
    process.off("exit", stopChild);
    file.end();
    for (const look of waiting) look();
  });
  const line = (like: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const hit = printed.map((text) => like.exec(text)).find((match) => match !== null);
        if (hit) resolve(hit);
        else if (ended) reject(new Error(`${name} has ended without printing ${String(like)}; it printed:\n${printed.join("\n")}`));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  return { pid: child.pid ?? 0, line, end: () => end(child) };
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    child.once("close", () => resolve());
    child.kill("SIGTERM");
  });
}
