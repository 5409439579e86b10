import axe, { type AxeResults } from "axe-core";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { pictures } from "./site";

export interface Window {
  page: Page;
  /** What the browser complained of: errors of scripts, and what the page's policy forbade. */
  complaints: string[];
  close: () => Promise<void>;
}

/** How long a busy machine may take for what a page does; a page that works takes a fraction of a second. */
export const patience = 45_000;

export const wide = { width: 1440, height: 900 };
export const narrow = { width: 320, height: 640 };

export async function openBrowser(): Promise<Window> {
  const profile = mkdtempSync(join(tmpdir(), "hyper2kvm-browser."));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    viewport: wide,
    reducedMotion: "reduce",
    acceptDownloads: true,
    timeout: patience,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(patience);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  return {
    page,
    complaints,
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Waits until nothing on a page is still being read. */
export async function settled(page: Page): Promise<void> {
  await page.getByRole("heading", { level: 1 }).waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-busy=true]") === null);
}

/** What of WCAG 2.2 AA a page breaks, as axe sees it; one line each. */
export async function broken(page: Page): Promise<string[]> {
  // The policy of the page forbids scripts of others; what the browser itself is told to run is not held to it.
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe.source);
  const results = await page.evaluate<AxeResults>(
    `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"] })`,
  );
  return results.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary ?? ""}`));
}

/** What sticks out to the right of a page, innermost first; nothing when it fits. */
export function sticksOut(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame); // what follows the width of the page has done so then
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const outside = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 0.5);
    return outside.toReversed().map((e) => `${e.tagName} ${e.className.toString()}: ${(e.textContent ?? "").slice(0, 40)}`);
  });
}

/** Keeps a picture of a page where somebody wants to look at it. */
export async function picture(page: Page, name: string): Promise<void> {
  const dir = pictures();
  if (dir) await page.screenshot({ path: join(dir, `${name}.png`), fullPage: true });
}
