import { QueryClient } from "@tanstack/react-query";
import { expect, test } from "vitest";
import type { Job, JobDetail, JobList } from "../src/api/types";
import { applyEvent } from "../src/live/cache";

const job = (id: string, fields: Partial<Job> = {}): Job => ({
  id,
  name: id,
  stage: "load",
  progress: 1,
  started_at: null,
  elapsed_seconds: 0,
  status: "processing",
  state: "running",
  job_id: id,
  priority: 50,
  path: `/${id}`,
  ...fields,
});

test("an event changes every page that shows its job, and tells what else is old", () => {
  const client = new QueryClient();
  const list: JobList = { jobs: [job("a"), job("b")], total: 2, first: 0 };
  client.setQueryData(["active"], list);
  client.setQueryData(["jobs", "limit=50"], list);
  client.setQueryData<JobDetail>(["job", "a"], { ...job("a"), has_log: false, has_report: false, record: { stages: [] } });
  const old: string[] = [];
  const tell = (j: Job): void => applyEvent(client, "job", JSON.stringify(j), (keys) => old.push(...keys));

  tell(job("a", { stage: "convert", progress: 40 }));
  expect(client.getQueryData<JobList>(["active"])?.jobs.map((j) => j.progress)).toEqual([40, 1]);
  expect(client.getQueryData<JobList>(["jobs", "limit=50"])?.jobs[0]?.stage).toBe("convert");
  expect(client.getQueryData<JobDetail>(["job", "a"])).toMatchObject({ stage: "convert", has_log: true, record: { stages: [] } });
  expect(old).toEqual([]);

  tell(job("c"));
  expect(client.getQueryData<JobList>(["active"])?.total).toBe(3);
  tell(job("a", { state: "failed" }));
  expect(client.getQueryData<JobList>(["active"])?.jobs.map((j) => j.id)).toEqual(["b", "c"]);
  expect(old).toContain("failures");

  applyEvent(client, "status", '{"mode":"disk"}', () => undefined);
  expect(client.getQueryData(["status"])).toEqual({ mode: "disk" });
  client.clear();
});
