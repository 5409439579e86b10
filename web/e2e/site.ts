import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";

/** A daemon with its directory, and hyperctl serve beside it. */
export interface Site {
  url: string;
  dir: string;
  drop: string;
  out: string;
  hyperctl: (...args: string[]) => string;
  /** Holds the jobs that run where they are, and lets them go on. */
  hold: () => void;
  release: () => void;
  close: () => Promise<void>;
}

const bin = process.env["HYPER2KVM_BIN"] ?? join(import.meta.dirname, "../../bin");

/** Starts both programs in a directory of their own. One job runs at a time, so that another one waits to be seen. */
export async function startSite(): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), "hyper2kvm-web."));
  const work = join(dir, "w");
  const out = join(dir, "out");
  const port = await freePort();
  const config = join(dir, "daemon.yaml");
  writeFileSync(config, `workflow_dir: ${work}\noutput_dir: ${out}\nmax_concurrent_jobs: 1\nsettle: 200ms\npoll_interval: 500ms\n`);
  const log = openSync(join(dir, "log"), "a");
  const start = (program: string, ...args: string[]): ChildProcess => spawn(join(bin, program), args, { stdio: ["ignore", log, log] });
  const daemon = start("hyper2kvmd", "--config", config);
  const url = `http://127.0.0.1:${port}`;
  process.once("exit", () => daemon.kill());
  await until("the daemon runs", () => Promise.resolve(existsSync(join(work, ".hyper2kvm/status.json"))));
  const server = start("hyperctl", "--workflow-dir", work, "serve", "--auth=none", "--socket", "none", "--listen", `127.0.0.1:${port}`);
  await until("the server answers", async () => (await fetch(`${url}/livez`)).ok);
  return {
    url,
    dir,
    drop: join(work, "to_be_processed"),
    out,
    hyperctl: (...args) => execFileSync(join(bin, "hyperctl"), ["--workflow-dir", work, ...args], { encoding: "utf8" }),
    hold: () => signal(daemon, "SIGSTOP"),
    release: () => signal(daemon, "SIGCONT"),
    close: async () => {
      await end(server);
      await end(daemon);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Each job runs in a child of the daemon. */
function signal(daemon: ChildProcess, name: NodeJS.Signals): void {
  for (const task of readdirSync(`/proc/${daemon.pid}/task`)) {
    for (const pid of readFileSync(`/proc/${daemon.pid}/task/${task}/children`, "utf8").split(" ")) {
      if (pid !== "") process.kill(Number(pid), name);
    }
  }
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const at = probe.address();
      probe.close(() => (at !== null && typeof at === "object" ? resolve(at.port) : reject(new Error("no port"))));
    });
  });
}

/** Asks again until it is so. */
export async function until(what: string, so: () => Promise<boolean>, seconds = 30): Promise<void> {
  const last = Date.now() + seconds * 1000;
  for (;;) {
    try {
      if (await so()) return;
    } catch {
      // Not yet.
    }
    if (Date.now() > last) throw new Error(`waited ${seconds} seconds: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
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

/** Where pictures of the pages go, to be looked at by people. */
export function pictures(): string {
  const dir = process.env["HYPER2KVM_PICTURES"] ?? join(tmpdir(), "hyper2kvm-pictures");
  mkdirSync(dir, { recursive: true });
  return dir;
}
