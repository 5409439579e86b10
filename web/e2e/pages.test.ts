import { beforeAll, describe, expect, test } from "vitest";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { broken, narrow, picture, settled, sticksOut, wide } from "./browser";
import { showGuest } from "./guest";
import { brokenDisk, disk } from "./site";
import { setStage } from "./stage";

const stage = setStage();

// Every page in every state that it has, by the part of its address.
const pages = [
  "",
  "jobs",
  "jobs?state=queued,waiting",
  "jobs?q=there-is-none",
  "job?id=done",
  "job?id=done&tab=log",
  "job?id=done&tab=changes",
  "job?id=done&tab=files",
  "job?id=done&tab=report",
  "job?id=mail",
  "job?id=mail&tab=plan",
  "job?id=running",
  "job?id=urgent.raw",
  "job?id=later.yaml",
  "job?id=none",
  "new",
  "failures",
  "system",
  "nowhere",
];

const nameOf = (path: string): string => path.replaceAll(/\W+/g, "-") || "overview";

describe("a queue in which there is one job of each kind", () => {
  beforeAll(async () => {
    const { site, window } = stage;
    const ended = (name: string) => site.until(`${name} has ended`, ({ jobs }) => [...jobs.values()].some((j) => j.name === name && j.finished_at !== undefined));
    disk(join(site.drop, "done.raw"), 2);
    brokenDisk(join(site.drop, "mail.vmdk"));
    brokenDisk(join(site.drop, "files01.vmdk"));
    await Promise.all(["done.raw", "mail.vmdk", "files01.vmdk"].map(ended));
    site.slow();
    disk(join(site.drop, "running.raw"), 256);
    await site.until("the images are being written", ({ jobs }) => [...jobs.values()].some((j) => j.name === "running.raw" && j.stage === "convert" && j.progress > 10));
    site.hold();
    writeFileSync(join(site.drop, "later.yaml"), "input: missing.vmdk\n");
    disk(join(site.drop, "urgent.raw"), 2);
    disk(join(site.drop, "some-day.raw"), 2);
    await site.until("the others wait", ({ status }) => status?.counts.queued === 2 && status.counts.waiting === 1);
    site.hyperctl("workflow", "priority", "urgent.raw", "high");
    site.hyperctl("workflow", "priority", "some-day.raw", "10");
    await showGuest(window.page);
  }, 120_000);

  const choose = async (theme: string): Promise<void> => {
    const { page } = stage.window;
    while (!(await page.getByRole("button", { name: `Colours: ${theme}` }).isVisible())) await page.getByRole("button", { name: /^Colours/ }).click();
  };

  test("whoever cannot see or has no mouse can use every page, light and dark, wide and 320 pixels wide, where nothing sticks out", { timeout: 400_000 }, async () => {
    const { page } = stage.window;
    const found: Record<string, string[]> = {};
    for (const path of pages) {
      await stage.open(path);
      await settled(page);
      await choose("Light");
      await picture(page, `light-${nameOf(path)}`);
      const faults = await broken(page);
      await choose("Dark");
      await picture(page, `dark-${nameOf(path)}`);
      await page.setViewportSize(narrow);
      await picture(page, `narrow-${nameOf(path)}`);
      faults.push(...(await sticksOut(page)), ...(await broken(page)));
      await page.setViewportSize(wide);
      if (faults.length > 0) found[path] = faults;
    }
    expect(found).toEqual({});
  });

  test("the browser had nothing to complain of", () => {
    // 404 is the answer about a job that is not there, 422 the plan of a disk that cannot be read.
    expect(stage.window.complaints.filter((c) => !/status of (404|422)/.test(c))).toEqual([]);
  });
});
