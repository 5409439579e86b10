import { describe, expect, test } from "vitest";
import { renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Job } from "../src/api/types";
import { broken, narrow, picture, sticksOut, wide } from "./browser";
import { screenOf, showGuest } from "./guest";
import { brokenDisk, disk } from "./site";
import { setStage } from "./stage";

const stage = setStage();
const open = stage.open;
const heading = (name: string) => stage.window.page.getByRole("heading", { level: 1, name });

describe("a day at the queue", () => {
  test("an empty queue says what to do", async () => {
    const { page } = stage.window;
    await open("");
    await heading("Overview").waitFor();
    await page.getByText("Nothing runs, and nothing waits.").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await picture(page, "overview-empty");
  });

  test("a manifest is written by form, seen as text, corrected and submitted", async () => {
    const { page } = stage.window;
    disk(join(stage.site.drop, "..", "big.raw"), 256);
    await open("new");
    const editor = page.getByRole("textbox", { name: "The manifest as YAML" });
    await page.getByRole("textbox", { name: "Source", exact: true }).fill("big.raw");
    await page.getByLabel("Name of the VM").fill("web01");
    await page.getByRole("combobox", { name: "Compression", exact: true }).selectOption("zlib");
    await editor.filter({ hasText: "source_path: big.raw" }).filter({ hasText: "compression: zlib" }).waitFor();
    await page.getByText("Valid: asks for 1 VM").waitFor();

    // The text the other way around: a mistake is marked on its line, and the form follows.
    await editor.press("Control+End");
    await page.keyboard.type("bootst: true");
    await page.getByText("unknown key").first().waitFor();
    await page.locator(".cm-lintRange-error").first().waitFor();
    await picture(page, "builder-mistake");
    await page.getByRole("button", { name: "Submit", disabled: true }).waitFor();
    for (let i = 0; i < "bootst: true".length; i++) await page.keyboard.press("Backspace");
    await page.getByText("Valid: asks for 1 VM").waitFor();

    await page.getByRole("button", { name: "JSON" }).click();
    const json = page.getByRole("textbox", { name: /The manifest as/ });
    await json.filter({ hasText: '"source_path": "big.raw"' }).waitFor();
    await page.getByRole("button", { name: "YAML" }).click();

    // A plan looks at the source, which must be there.
    stage.site.hyperctl("workflow", "pause");
    renameSync(join(stage.site.drop, "..", "big.raw"), join(stage.site.drop, "big.raw"));
    await page.getByRole("button", { name: "Plan" }).click();
    await page.getByRole("heading", { name: "What would be done" }).waitFor();
    await picture(page, "builder-plan");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("button", { name: "Submit" }).click();
    await heading("web01").waitFor();
    await page.getByText("is in the queue").waitFor();
  });

  test("the queue is resumed, and the job is seen to go on live", async () => {
    const { page } = stage.window;
    await open("");
    await page.getByText("The queue is paused").first().waitFor();
    stage.site.slow();
    await page.getByRole("button", { name: "Resume the queue" }).click();
    const bar = page.getByRole("progressbar").first();
    await bar.waitFor();
    await stage.site.until("the images are being written", ({ jobs }) => [...jobs.values()].some((j) => j.stage === "convert" && j.progress > 10));
    stage.site.hold();
    await page.waitForFunction(() => Number(document.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow")) > 3);
    await page.locator(".plot-now").filter({ hasText: /[KMG]iB\/s now/ }).waitFor();
    await picture(page, "overview-running");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("link", { name: /^web01/ }).first().click();
    await page.getByRole("log").getByText("convert").first().waitFor();
    await picture(page, "job-running");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Cancel the job" }).click();
    stage.site.release();
    await page.getByText("What to do:").waitFor();
    await page.getByRole("region", { name: "Why it failed" }).filter({ hasText: "H2K-JOB-003" }).waitFor();
    await stage.site.daemonSays(/msg="job failed".*H2K-JOB-003/); // a moment later: not before can it be tried again
    await page.getByRole("button", { name: "Retry" }).click();
    await page.getByRole("tab", { name: "Files" }).waitFor({ timeout: 60_000 });
    await page.getByText("Done in").first().waitFor();
    await picture(page, "job-done");
    await page.getByRole("tab", { name: "Files" }).click();
    await page.getByText("every byte equals the source").waitFor();
    await picture(page, "job-files");
    expect(await broken(page)).toEqual([]);
  });

  test("what is wanted first is put before the others, one job or several", async () => {
    const { page } = stage.window;
    stage.site.hyperctl("workflow", "pause");
    brokenDisk(join(stage.site.drop, "mail.vmdk"));
    brokenDisk(join(stage.site.drop, "files01.vmdk"));
    await open("jobs?state=queued");
    await page.getByRole("link", { name: "files01.vmdk" }).waitFor();
    await page.getByRole("link", { name: "mail.vmdk" }).click();
    await page.getByRole("button", { name: "Priority: Normal" }).click();
    await page.getByRole("radio", { name: "High" }).check();
    await page.getByRole("button", { name: "Set the priority" }).click();
    await page.getByRole("button", { name: "Priority: High" }).waitFor();
    await open("jobs?state=queued");
    await page.getByRole("row", { name: /mail\.vmdk.*Priority: High/ }).waitFor();
    await page.getByRole("checkbox", { name: "Mark all on this page" }).check();
    await page.getByRole("button", { name: "Priority of 2" }).click();
    await page.getByRole("radio", { name: "A number" }).check();
    const number = page.getByRole("spinbutton");
    await number.fill("101");
    await page.getByRole("button", { name: "Set the priority" }).click();
    expect(await number.evaluate((input: HTMLInputElement) => input.validity.rangeOverflow)).toBe(true);
    await number.fill("7");
    expect(await broken(page)).toEqual([]);
    await picture(page, "jobs-priority");
    await page.getByRole("button", { name: "Set the priority" }).click();
    await page.getByText("2 jobs set to priority 7").waitFor();
    await page.getByRole("row", { name: /files01\.vmdk.*Priority: 7/ }).waitFor();
    stage.site.hyperctl("workflow", "resume");
  });

  test("a job fails, says why, and is one of a group", async () => {
    const { page } = stage.window;
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
    const { page } = stage.window;
    writeFileSync(join(stage.site.drop, "later.yaml"), "input: missing.vmdk\n");
    await open("jobs");
    await page.getByRole("link", { name: "mail.vmdk" }).waitFor();
    await page.getByRole("link", { name: "later.yaml" }).waitFor();
    await picture(page, "jobs");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("button", { name: /^Failed \d/ }).click();
    await page.getByRole("searchbox").fill("vmdk !mail");
    await page.waitForURL(/state=failed&q=vmdk/);
    await page.waitForFunction(() => document.querySelectorAll("table.jobs tbody tr").length === 1);
    await page.getByRole("button", { name: "Job", exact: true }).click();
    await page.waitForURL(/sort=name/);
    await page.getByRole("checkbox", { name: "Mark all on this page" }).check();
    await page.getByRole("button", { name: "Retry 1" }).click();
    await page.getByText("1 job put back into the queue").waitFor();
    await open("jobs?state=waiting");
    await page.getByRole("checkbox", { name: "Mark later.yaml" }).check();
    await page.getByRole("button", { name: "Cancel 1" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel 1 job" }).click();
    await page.getByText("1 job cancelled").waitFor();
  });

  test("what was repaired in a guest is shown as diffs, with the screen of the boot test; who may only read changes nothing", async () => {
    const { page } = stage.window;
    const showOthers = await showGuest(page);
    await page.route("**/api/session", (route) => route.fulfill({ json: { role: "read", name: "viewer" } }));
    await open("job?id=web01&tab=changes");
    await page.getByText("UUID=1f2e").first().waitFor();
    await page.getByText("The VM boots on KVM").waitFor();
    await picture(page, "job-changes");
    expect(await broken(page)).toEqual([]);
    await page.getByRole("tab", { name: "Changes" }).press("ArrowRight");
    await page.getByRole("img", { name: /boot test/ }).waitFor();
    await page.setViewportSize(narrow);
    await open("job?id=web01&tab=changes");
    await page.getByText("UUID=1f2e").first().waitFor();
    await picture(page, "narrow-job-changes");
    expect(await sticksOut(page)).toEqual([]);
    await page.setViewportSize(wide);
    await open("");
    await page.getByRole("button", { name: "Pause the queue", disabled: true }).waitFor();
    await page.unroute("**/api/session");
    await showOthers();
  });

  test("a failed job shows what its boot test left of the screen and the console", async () => {
    const { page } = stage.window;
    const screen = await screenOf(page, "Gave up waiting for root file system device.\n\n(initramfs) _");
    brokenDisk(join(stage.site.drop, "unbootable.vmdk"));
    let failed: Job | undefined;
    await stage.site.until("unbootable.vmdk has failed", ({ jobs }) => {
      failed = [...jobs.values()].find((j) => j.name === "unbootable.vmdk" && j.state === "failed");
      return failed !== undefined;
    });
    const { id, path } = failed as unknown as Job;
    const kept = join(stage.site.dir, "w", ".hyper2kvm", "logs", basename(dirname(path)), id); // what a boot test leaves; there was none here
    writeFileSync(`${kept}.screen.png`, screen);
    writeFileSync(`${kept}.serial.log`, "(initramfs)");
    await open(`job?id=${id}`);
    const shown = page.getByRole("img", { name: /boot test/ });
    await shown.waitFor();
    expect(await shown.evaluate((img: HTMLImageElement) => img.decode().then(() => img.naturalWidth))).toBe(720);
    await page.getByRole("link", { name: "serial.log" }).waitFor();
    await picture(page, "job-unbootable");
    expect(await broken(page)).toEqual([]);
  });

  test("the system page has what the doctor found", async () => {
    const { page } = stage.window;
    await open("system");
    await page.getByText("Workflow directory").waitFor();
    await page.getByText("a rename moves jobs").waitFor();
  });

  test("held, the page stands still; without a stream it asks by itself", async () => {
    const { page } = stage.window;
    await open("");
    await page.getByText("Live", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Hold this page" }).click();
    await page.getByText("Paused", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Refresh this page" }).click();
    await page.getByText("Live", { exact: true }).waitFor();
    await page.route("**/api/workflow/events", (route) => route.abort());
    await open("");
    await page.getByText("Every 3 s").waitFor();
    brokenDisk(join(stage.site.drop, "late.vmdk"));
    await open("jobs");
    await page.getByText("Every 3 s").waitFor();
    await page.getByRole("link", { name: "late.vmdk" }).waitFor();
    await page.unroute("**/api/workflow/events");
    stage.window.complaints.splice(0, stage.window.complaints.length, ...stage.window.complaints.filter((c) => !c.includes("ERR_FAILED")));
  });

  test("the browser had nothing to complain of", () => {
    expect(stage.window.complaints.filter((c) => !c.includes("status of 404"))).toEqual([]); // a job that was retried is not there any more
  });
});
