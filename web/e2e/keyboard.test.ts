import { expect, test } from "vitest";
import type { Page } from "playwright-core";
import { join } from "node:path";
import { picture, settled } from "./browser";
import { brokenDisk } from "./site";
import { setStage } from "./stage";

const stage = setStage();

/** What has the focus, as it is called. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const at = document.activeElement;
    const label = at instanceof HTMLInputElement || at instanceof HTMLTextAreaElement || at instanceof HTMLSelectElement ? at.labels?.[0]?.textContent : undefined;
    return (at?.getAttribute("aria-label") ?? label ?? at?.textContent ?? "").trim();
  });
}

/** Goes forward with the Tab key until something called so has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  const passed: string[] = [];
  for (let i = 0; i < 80; i++) {
    const now = await focused(page);
    if (now === name) return;
    passed.push(now);
    await page.keyboard.press("Tab");
  }
  throw new Error(`the Tab key does not come to ${name}, but to ${passed.join(", ")}`);
}

async function press(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name, exact: true }).or(page.getByRole("link", { name, exact: true })).first().waitFor();
  await tabTo(page, name);
  await page.keyboard.press("Enter");
}

test("from a manifest to a failed job, its retry and its cancellation without a mouse", async () => {
  const { page } = stage.window;
  const disk = join(stage.site.dir, "db.vmdk");
  brokenDisk(disk);
  await stage.open("");
  await settled(page);
  await page.keyboard.press("Tab");
  await expect.poll(() => focused(page)).toBe("Skip to the content");
  await page.keyboard.press("Enter");
  await press(page, "New manifest");
  await page.getByRole("heading", { level: 1, name: "New manifest" }).waitFor();
  await page.getByText("Checking …").waitFor({ state: "detached" });
  await tabTo(page, "Source");
  await page.keyboard.type(disk);
  await tabTo(page, "Name of the VM");
  await page.keyboard.type("db01");
  await page.getByText("Valid: asks for 1 VM").waitFor();
  await press(page, "Submit");

  // The page of the job follows it until it has failed.
  await page.getByRole("heading", { level: 1, name: /^db01/ }).waitFor();
  await page.getByText("What to do:").waitFor();
  await tabTo(page, "Summary");
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => focused(page)).toBe("Log");
  await page.getByRole("log").getByText("failed").first().waitFor();

  stage.site.hyperctl("workflow", "pause");
  await page.reload();
  await page.getByText("What to do:").waitFor();
  await press(page, "Retry");
  await page.getByText("is back in the queue").waitFor();
  await press(page, "Priority: Normal");
  await page.getByRole("dialog").waitFor();
  await expect.poll(() => page.evaluate(() => document.activeElement?.parentElement?.textContent)).toContain("Normal");
  await page.keyboard.press("ArrowUp");
  await picture(page, "keyboard-priority");
  await page.keyboard.press("Enter");
  await press(page, "Priority: High");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await expect.poll(() => focused(page)).toBe("Priority: High");
  await press(page, "Cancel");
  await press(page, "Cancel the job");
  await page.getByRole("region", { name: "Why it failed" }).getByText("H2K-JOB-003").waitFor();
});

test("the queue is paused and goes on by keyboard; Tab leaves the editor", async () => {
  const { page } = stage.window;
  await stage.open("");
  await press(page, "Resume the queue");
  await press(page, "Pause the queue");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await expect.poll(() => focused(page)).toBe("Pause the queue");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await tabTo(page, "Why, for others to see (may be left out)");
  await page.keyboard.type("moving house");
  await page.keyboard.press("Enter");
  await page.getByText("moving house").waitFor();
  await stage.open("new");
  await page.getByRole("textbox", { name: /The manifest as/ }).focus();
  await page.keyboard.press("Tab");
  await expect.poll(() => page.evaluate(() => document.activeElement?.closest(".editor"))).toBeNull();
});
