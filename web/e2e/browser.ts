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

export async function openBrowser(): Promise<Window> {
  const profile = mkdtempSync(join(tmpdir(), "hyper2kvm-browser."));
  const context: BrowserContext = await chromium.launchPersistentContext(profile, {
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
    acceptDownloads: true,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(20_000);
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

/** What of WCAG 2.2 AA a page breaks, as axe sees it; one line each. */
export async function broken(page: Page): Promise<string[]> {
  // The policy of the page forbids scripts of others; what the browser itself is told to run is not held to it.
  await page.evaluate(axe.source);
  const results = await page.evaluate<AxeResults>(`axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })`);
  return results.violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target.join(" ")}: ${n.failureSummary ?? ""}`));
}

/** How many pixels of a page stick out to the right. */
export function sticksOut(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

export async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(pictures(), `${name}.png`), fullPage: true });
}
