import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JobList, Report } from "../src/api/types";
import { broken, openBrowser, picture, sticksOut, type Window } from "./browser";
import { brokenDisk, disk, startSite, until, type Site } from "./site";

/** What a report has of a guest that was repaired and booted. */
const guestReport: Partial<Report> = {
  repairs: [
    {
      fixer: "fstab",
      path: "/etc/fstab",
      why: "the disk has another name on virtio",
      diff: "--- a/etc/fstab\n+++ b/etc/fstab\n@@ -1,3 +1,3 @@\n # <file system> <mount point> <type> <options>\n-/dev/sda1 / ext4 errors=remount-ro 0 1\n+UUID=1f2e3d4c-5b6a-4789-90ab-cdef01234567 / ext4 errors=remount-ro 0 1\n /dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0\n",
    },
    {
      fixer: "initramfs",
      path: "/boot/initrd.img-6.1.0-18-amd64",
      why: "no virtio driver is in it, so that the disk would not be found",
      command: ["/usr/sbin/update-initramfs", "-u", "-k", "6.1.0-18-amd64"],
      proof: "virtio_blk and virtio_pci are in the new file",
      output: "update-initramfs: Generating /boot/initrd.img-6.1.0-18-amd64",
      seconds: 38.1,
    },
  ],
  undo: "web01-undo.tar",
  boot_test: { passed: true, why: "a login prompt was seen", login: "web01 login:", seconds: 21.4, disks: "virtio", firmware: "bios", screenshot: "screen.png" },
};

const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

let site: Site;
let window: Window;

beforeAll(async () => {
  site = await startSite();
  window = await openBrowser();
});

afterAll(async () => {
  await window?.close();
  await site?.close();
});

afterEach(async ({ task }) => {
  if (task.result?.state === "fail") await picture(window.page, "failure");
});

const open = (path: string): Promise<unknown> => window.page.goto(`${site.url}/web/dashboard/${path}`);
const heading = (name: string) => window.page.getByRole("heading", { level: 1, name });

describe("a day at the queue", () => {
  test("an empty queue says what to do", async () => {
    const { page } = window;
    await open("");
    await heading("Overview").waitFor();
    await page.getByText("Nothing runs, and nothing waits.").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await picture(page, "overview-empty");
  });

  test("a manifest is written by form, seen as text, corrected and submitted", async () => {
    const { page } = window;
    disk(join(site.drop, "..", "big.raw"), 256);
    await open("new");
    const editor = page.getByRole("textbox", { name: "The manifest as YAML" });
    await page.getByRole("textbox", { name: "Source", exact: true }).fill("big.raw");
    await page.getByLabel("Name of the VM").fill("web01");
    await page.getByRole("combobox", { name: "Compression", exact: true }).selectOption("zlib");
    expect(await editor.textContent()).toContain("source_path: big.raw");
    expect(await editor.textContent()).toContain("compression: zlib");
    await page.getByText("Valid: asks for 1 VM").waitFor();

    // The text the other way around: a mistake is marked on its line, and the form follows.
    await editor.press("Control+End");
    await page.keyboard.type("bootst: true");
    await page.getByText("unknown key").first().waitFor();
    await page.locator(".cm-lintRange-error").first().waitFor();
    await picture(page, "builder-mistake");
    expect(await page.getByRole("button", { name: "Submit" }).isDisabled()).toBe(true);
    for (let i = 0; i < "bootst: true".length; i++) await page.keyboard.press("Backspace");
    await page.getByText("Valid: asks for 1 VM").waitFor();

    await page.getByRole("button", { name: "JSON" }).click();
    const json = page.getByRole("textbox", { name: /The manifest as/ });
    await until("the text is JSON", async () => ((await json.textContent()) ?? "").includes('"source_path": "big.raw"'));
    await page.getByRole("button", { name: "YAML" }).click();

    // A plan looks at the source, which must be there.
    site.hyperctl("workflow", "pause");
    renameSync(join(site.drop, "..", "big.raw"), join(site.drop, "big.raw"));
    await page.getByRole("button", { name: "Plan" }).click();
    await page.getByRole("heading", { name: "What would be done" }).waitFor();
    await picture(page, "builder-plan");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("button", { name: "Submit" }).click();
    await heading("web01").waitFor();
    await page.getByText("is in the queue").waitFor();
  });

  test("the queue is resumed, and the job is seen to go on live", async () => {
    const { page } = window;
    await open("");
    await page.getByText("The queue is paused").first().waitFor();
    await page.getByRole("button", { name: "Resume the queue" }).click();
    const bar = page.getByRole("progressbar").first();
    await bar.waitFor();
    await until("the images are being written", async () => {
      const list = (await (await fetch(`${site.url}/api/workflow/jobs/active`)).json()) as JobList;
      return list.jobs.some((j) => j.stage === "convert" && j.progress > 3);
    });
    site.hold();
    await until("the bar moves", async () => Number(await bar.getAttribute("aria-valuenow")) > 3);
    await until("the rate is known", async () => /iB\/s now/.test((await page.locator(".plot-now").first().textContent()) ?? ""));
    await picture(page, "overview-running");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("link", { name: /^web01/ }).first().click();
    await page.getByRole("log").getByText("convert").first().waitFor();
    await picture(page, "job-running");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Cancel the job" }).click();
    site.release();
    await page.getByText("What to do:").waitFor();
    expect(await page.getByRole("region", { name: "Why it failed" }).textContent()).toContain("H2K-JOB-003");
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByRole("tab", { name: "Files" }).waitFor({ timeout: 60_000 });
    await page.getByText("Done in").first().waitFor();
    await picture(page, "job-done");
    await page.getByRole("tab", { name: "Files" }).click();
    await page.getByText("every byte equals the source").waitFor();
    await picture(page, "job-files");
    expect(await broken(page)).toEqual([]);
  });

  test("a job fails, says why, and is one of a group", async () => {
    const { page } = window;
    brokenDisk(join(site.drop, "mail.vmdk"));
    brokenDisk(join(site.drop, "files01.vmdk"));
    await open("jobs?state=failed");
    await page.getByRole("link", { name: "mail.vmdk" }).click();
    await heading("mail.vmdk").waitFor();
    await page.getByText("What to do:").waitFor();
    await picture(page, "job-failed");
    expect(await broken(page)).toEqual([]);
    await open("failures");
    await page.getByText("H2K-IMG-001").first().waitFor();
    await page.getByRole("button", { name: "Retry all 2" }).waitFor();
    await page.getByRole("searchbox").fill("token");
    await picture(page, "failures");
    expect(await broken(page)).toEqual([]);
  });

  test("jobs are filtered, sorted, marked and retried together; the address says what is shown", async () => {
    const { page } = window;
    writeFileSync(join(site.drop, "later.yaml"), "input: missing.vmdk\n");
    await open("jobs");
    await page.getByRole("link", { name: "mail.vmdk" }).waitFor();
    await page.getByRole("link", { name: "later.yaml" }).waitFor();
    await picture(page, "jobs");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("button", { name: /^Failed \d/ }).click();
    await page.getByRole("searchbox").fill("vmdk !mail");
    await until("the address follows", async () => /state=failed&q=vmdk/.test(page.url()));
    await until("one is left", async () => (await page.locator("table.jobs tbody tr").count()) === 1);
    await page.getByRole("button", { name: "Job", exact: true }).click();
    await until("the order is in the address", async () => page.url().includes("sort=name"));
    await page.getByRole("checkbox", { name: "Mark all on this page" }).check();
    await page.getByRole("button", { name: "Retry 1" }).click();
    await page.getByText("1 job put back into the queue").waitFor();
    await open("jobs?state=waiting");
    await page.getByRole("checkbox", { name: "Mark later.yaml" }).check();
    await page.getByRole("button", { name: "Cancel 1" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel 1 job" }).click();
    await page.getByText("1 job cancelled").waitFor();
  });

  test("the system page, and both colours", async () => {
    const { page } = window;
    await open("system");
    await page.getByText("Workflow directory").waitFor();
    await page.getByText("a rename moves jobs").waitFor(); // a finding of the doctor
    await picture(page, "system");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("button", { name: "Colours: Auto" }).click();
    await page.getByRole("button", { name: "Colours: Light" }).click();
    for (const path of ["", "jobs", "failures", "system", "new"]) {
      await open(path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForLoadState("networkidle").catch(() => undefined);
      await picture(page, `dark-${path || "overview"}`);
      expect(await broken(page), path).toEqual([]);
    }
    await open("jobs?state=done");
    await page.getByRole("link", { name: /^web01/ }).click();
    await page.getByText("Done in").first().waitFor();
    await picture(page, "dark-job");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("button", { name: "Colours: Dark" }).click();
  });

  test("nothing sticks out at 320 pixels", async () => {
    const { page } = window;
    await page.setViewportSize({ width: 320, height: 640 });
    for (const path of ["", "jobs", "failures", "system", "new", "job?id=mail", "job?id=web01&tab=files", "job?id=web01&tab=log"]) {
      await open(path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForLoadState("networkidle").catch(() => undefined);
      await picture(page, `narrow-${path.replace(/\W+/g, "-") || "overview"}`);
      expect(await sticksOut(page), path).toBeLessThanOrEqual(0);
      expect(await broken(page), path).toEqual([]);
    }
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  test("the keyboard alone is enough", async () => {
    const { page } = window;
    await open("");
    await page.getByRole("button", { name: "Pause the queue" }).waitFor();
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
    expect(await focused()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    for (let i = 0; i < 10 && (await focused()) !== "Pause the queue"; i++) await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(await focused()).toBe("Pause the queue");
    await page.keyboard.press("Enter");
    await page.keyboard.type("moving house");
    await page.keyboard.press("Enter");
    await page.getByText("The queue is paused").first().waitFor();
    site.hyperctl("workflow", "resume");
    await page.getByText("The queue is paused: no").waitFor({ state: "detached" });
    // Tab leaves the editor.
    await open("new");
    await page.getByRole("textbox", { name: /The manifest as/ }).focus();
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => document.activeElement?.closest(".editor"))).toBeNull();
  });

  test("what was repaired in a guest is shown as diffs, with the screen of the boot test; who may only read changes nothing", async () => {
    const { page } = window;
    // Repairing and booting a guest takes minutes and an appliance: the report of one is put in the place of the real one.
    await page.route("**/report", async (route) => {
      const report = (await (await route.fetch()).json()) as Report;
      const stages = report.stages?.map((s) => (s.name === "fix" ? { name: "fix", status: "done", seconds: 41.2 } : s));
      await route.fulfill({ json: { ...report, ...guestReport, stages } });
    });
    await page.route("**/files/screen.png", (route) => route.fulfill({ contentType: "image/png", body: Buffer.from(onePixel, "base64") }));
    await page.route("**/api/session", (route) => route.fulfill({ json: { role: "read", name: "viewer" } }));
    await open("job?id=web01&tab=changes");
    await page.getByText("UUID=1f2e").first().waitFor();
    await page.getByText("The VM boots on KVM").waitFor();
    await picture(page, "job-changes");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("tab", { name: "Changes" }).press("ArrowRight");
    await page.getByRole("img", { name: /boot test/ }).waitFor();
    await page.setViewportSize({ width: 320, height: 640 });
    await open("job?id=web01&tab=changes");
    await page.getByText("UUID=1f2e").first().waitFor();
    await picture(page, "narrow-job-changes");
    expect(await sticksOut(page)).toBeLessThanOrEqual(0);
    await page.setViewportSize({ width: 1440, height: 900 });
    await open("");
    await page.getByRole("button", { name: "Pause the queue" }).waitFor();
    expect(await page.getByRole("button", { name: "Pause the queue" }).isDisabled()).toBe(true);
    await page.unroute("**/api/session");
    await page.unroute("**/report");
  });

  test("held, the page stands still; without a stream it asks by itself", async () => {
    const { page } = window;
    await open("");
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Hold this page" }).click();
    await page.getByText("Paused", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Refresh this page" }).click();
    await page.getByText("Live", { exact: true }).waitFor();
    window.complaints.length = 0;
    await page.route("**/api/workflow/events", (route) => route.abort());
    await open("");
    await page.getByText("Every 3 s").waitFor();
    brokenDisk(join(site.drop, "late.vmdk"));
    await open("jobs");
    await page.getByText("Every 3 s").waitFor();
    await page.getByRole("link", { name: "late.vmdk" }).waitFor();
    await page.unroute("**/api/workflow/events");
    window.complaints.splice(0, window.complaints.length, ...window.complaints.filter((c) => !c.includes("ERR_FAILED")));
  });

  test("the browser had nothing to complain of", () => {
    // The server was not asked for a doctor: its page says so.
    expect(window.complaints.filter((c) => !c.includes("501") && !c.includes("404"))).toEqual([]);
  });
});
