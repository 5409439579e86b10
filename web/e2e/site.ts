import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { bin, startProgram, type Program } from "./program";
import { watchEvents, type Watch } from "./watch";

/** A daemon with its directory, and hyperctl serve beside it. */
export interface Site {
  url: string;
  dir: string;
  drop: string;
  /** What both programs print. */
  log: string;
  hyperctl: (...args: string[]) => string;
  until: Watch["until"];
  /** The first line like this that the daemon prints, or has printed. */
  daemonSays: Program["line"];
  /** Lets jobs run a tenth of the time only, so that they last on a fast machine too: until they are held, or released. */
  slow: () => void;
  /** Holds the jobs that run where they are, and lets them go on. */
  hold: () => void;
  release: () => void;
  close: () => Promise<void>;
}

/** Starts both programs in a directory of their own. One job runs at a time, so that another one waits to be seen. */
export async function startSite(): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), "hyper2kvm-web."));
  const work = join(dir, "w");
  const log = join(dir, "log");
  const config = join(dir, "daemon.yaml");
  writeFileSync(config, `workflow_dir: ${work}\noutput_dir: ${join(dir, "out")}\nmax_concurrent_jobs: 1\nsettle: 200ms\npoll_interval: 500ms\n`);
  const daemon = startProgram("hyper2kvmd", ["--config", config], log);
  await daemon.line(/hyper2kvmd starts/);
  const server = startProgram("hyperctl", ["--workflow-dir", work, "serve", "--auth=none", "--socket", "none", "--listen", "127.0.0.1:0"], log);
  const url = (await server.line(/address +(http:\/\/[^/ ]+)/))[1] ?? "";
  const watch = watchEvents(url);
  await watch.until("the daemon runs", ({ status }) => status?.running === true);
  let pace: NodeJS.Timeout | undefined;
  const all = (name: NodeJS.Signals): void => {
    clearInterval(pace);
    signal(daemon.pid, name);
  };
  return {
    url,
    dir,
    drop: join(work, "to_be_processed"),
    log,
    hyperctl: (...args) => execFileSync(join(bin, "hyperctl"), ["--workflow-dir", work, ...args], { encoding: "utf8" }),
    until: watch.until,
    daemonSays: daemon.line,
    slow: () => {
      let tick = 0;
      clearInterval(pace);
      pace = setInterval(() => signal(daemon.pid, tick++ % 10 === 0 ? "SIGCONT" : "SIGSTOP"), 10);
    },
    hold: () => all("SIGSTOP"),
    release: () => all("SIGCONT"),
    close: async () => {
      all("SIGCONT"); // a test that failed may have left one held
      watch.end();
      await server.end();
      await daemon.end();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Each job runs in a child of the daemon. Threads and children that end meanwhile are told nothing. */
function signal(daemon: number, name: NodeJS.Signals): void {
  for (const task of ifThere(() => readdirSync(`/proc/${daemon}/task`)) ?? []) {
    for (const pid of ifThere(() => readFileSync(`/proc/${daemon}/task/${task}/children`, "utf8"))?.split(" ") ?? []) {
      if (pid !== "") ifThere(() => process.kill(Number(pid), name));
    }
  }
}

/** What it gives, or undefined when the process is gone. */
function ifThere<T>(it: () => T): T | undefined {
  try {
    return it();
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

/** A raw disk with a partition table and so many MiB that do not compress. */
export function disk(path: string, mebibytes: number): void {
  const file = openSync(path, "w");
  ftruncateSync(file, (mebibytes + 64) << 20);
  writeSync(file, Buffer.from("8020210083feffff0008000000f80100", "hex"), 0, 16, 446);
  writeSync(file, Buffer.from("55aa", "hex"), 0, 2, 510);
  for (let i = 0; i < mebibytes; i++) writeSync(file, randomBytes(1 << 20), 0, 1 << 20, (i + 1) << 20);
  closeSync(file);
}

/** A file that says it is a VMDK and is none. */
export function brokenDisk(path: string): void {
  writeFileSync(path, Buffer.concat([Buffer.from("KDMV\x01\0\0\0", "latin1"), randomBytes(20_000)]));
}

/** Where pictures of the pages go, to be looked at by people; none are made when nobody asks for them. */
export function pictures(): string | undefined {
  const dir = process.env["HYPER2KVM_PICTURES"];
  if (!dir) return undefined;
  mkdirSync(dir, { recursive: true });
  return dir;
}
