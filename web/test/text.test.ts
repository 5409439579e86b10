import { describe, expect, test } from "vitest";
import type { JobDetail } from "../src/api/types";
import { addSample, maxSamples, type Samples } from "../src/live/samples";
import { parseDiff, tally } from "../src/text/diff";
import { bytes, count, duration, percent, roughly } from "../src/text/format";
import { appendLog, maxLines, parseLogLine } from "../src/text/logline";
import { priorityWord } from "../src/text/priority";
import { pieces } from "../src/text/search";
import { stagesOf } from "../src/text/stages";

test("sizes and times are written as people read them", () => {
  expect([0, 1023, 1024, 1536, 1048576, 10 * 2 ** 30, 2 ** 50 * 3000].map(bytes)).toEqual(["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "1.00 MiB", "10.0 GiB", "3000 PiB"]);
  expect([0, 9.94, 59.6, 60, 61, 3600, 3725, 86400, 90000].map(duration)).toEqual(["0.0 s", "9.9 s", "1 min", "1 min", "1 min 1 s", "1 h", "1 h 2 min", "1 d", "1 d 1 h"]);
  expect([-1, 59.9, 60, 7199, 7200, 86399, 200000].map(roughly)).toEqual(["0 s", "59 s", "1 min", "1 h", "2 h", "23 h", "2 d"]);
  expect([-1, 0, 99.99, 100, 120].map(percent)).toEqual(["0%", "0%", "99%", "100%", "100%"]);
  expect([count(1, "job"), count(2, "job"), count(0, "entry", "entries")]).toEqual(["1 job", "2 jobs", "0 entries"]);
});

test("what is searched for is found in either case, and the pieces are the text again", () => {
  expect(pieces("Failed: fail", "FAIL")).toEqual(["", "Fail", "ed: ", "fail", ""]);
  expect([pieces("abc", ""), pieces("abc", "x"), pieces("İx", "x")]).toEqual([["abc"], ["abc"], ["İx"]]);
  for (const words of ["a", "aa", "A,"]) expect(pieces("aaa, Aa, a", words).join("")).toBe("aaa, Aa, a");
});

test("priorities have the names that hyperctl gives them", () => {
  expect([1, 25, 50, 75, 100].map(priorityWord)).toEqual(["1", "Low", "Normal", "High", "100"]);
});

test("a diff is read by line, also where lines look like file names", () => {
  const lines = parseDiff("--- a/etc/fstab\n+++ b/etc/fstab\n@@ -1,2 +1,2 @@\n same\n--- gone\n+++ new\n");
  expect(lines.map((l) => l.kind)).toEqual(["head", "head", "hunk", "same", "remove", "add"]);
  expect(tally(lines)).toEqual({ added: 1, removed: 1 });
});

describe("logs", () => {
  test("a line is taken apart, and one of another kind comes out whole", () => {
    expect(parseLogLine("2026-11-22T15:53:30.140Z load     failed: bad (0.0 s)")).toEqual({ time: "15:53:30", stage: "load", text: "failed: bad (0.0 s)", tone: "bad" });
    expect(parseLogLine("2026-11-22T15:53:30.140Z validate warning H2K-VM-006: none").tone).toBe("warn");
    expect(parseLogLine("anything")).toEqual({ time: "", stage: "", text: "anything", tone: "" });
  });

  test("however a log is cut into pieces, its lines are the same", () => {
    const text = "one\ntwo\n\nthree\nfo";
    for (let size = 1; size <= text.length; size++) {
      let lines: string[] = [];
      for (let at = 0; at < text.length; at += size) lines = appendLog(lines, text.slice(at, at + size));
      expect(lines).toEqual(["one", "two", "", "three", "fo"]);
    }
  });

  test("only the end of a long log is kept", () => {
    const lines = appendLog([], "x\n".repeat(maxLines + 100));
    expect(lines).toHaveLength(maxLines);
    expect(lines.at(-1)).toBe("");
  });
});

test("samples keep a quarter of an hour, and a gap is no line", () => {
  let s: Samples = { at: [], rate: [] };
  for (let t = 1; t <= 2000; t++) s = addSample(s, t, t);
  expect([s.at.length, s.rate.length, s.at.at(-1)]).toEqual([maxSamples, maxSamples, 2000]);
  expect(addSample(s, 2000, 5)).toBe(s);
  const gap = addSample({ at: [1], rate: [7] }, 100, 8);
  expect(gap).toEqual({ at: [1, 2, 99, 100], rate: [7, Number.NaN, Number.NaN, 8] });
});

describe("stages", () => {
  const job = (fields: Partial<JobDetail>): JobDetail => ({
    id: "x",
    name: "x",
    stage: "",
    progress: 0,
    started_at: null,
    elapsed_seconds: 0,
    status: "",
    state: "queued",
    job_id: "x",
    priority: 50,
    path: "/x",
    has_log: false,
    has_report: false,
    ...fields,
  });
  const words = (j: JobDetail): string => stagesOf(j, null).map((s) => s.status).join(" ");

  test("the record decides, else what is known; what is not known is not claimed", () => {
    expect(words(job({}))).toBe("waiting waiting waiting waiting waiting");
    expect(words(job({ state: "running", stage: "convert" }))).toBe("over over over running waiting");
    expect(words(job({ state: "failed", ended: { stage: "inspect" } }))).toBe("done failed not-run not-run not-run");
    expect(words(job({ state: "failed" }))).toBe("");
    expect(words(job({ state: "failed", record: { stages: [{ name: "load", status: "skipped", seconds: 0 }] } }))).toBe("skipped");
  });
});
