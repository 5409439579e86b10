import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll } from "vitest";
import { openBrowser, picture, type Window } from "./browser";
import { startSite, type Site } from "./site";

/** What every story is played on: the programs and a browser, from before the first test of a file until after its last. */
export interface Stage {
  readonly site: Site;
  readonly window: Window;
  /** Opens a page of the dashboard. */
  open: (path: string) => Promise<unknown>;
}

export function setStage(): Stage {
  let site: Site | undefined;
  let window: Window | undefined;
  beforeAll(async () => {
    site = await startSite();
    window = await openBrowser();
  });
  afterAll(async () => {
    await window?.close();
    await site?.close();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state !== "fail" || !window || !site) return;
    await picture(window.page, "failure");
    const page = await window.page.locator("body").innerText();
    process.stderr.write(`${window.page.url()} says:\n${page}\n\nThe programs say:\n${readFileSync(site.log, "utf8").slice(-4000)}\n`);
  });
  const there = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error("nothing has been started: this is not inside of a test");
    return part;
  };
  return {
    get site() {
      return there(site);
    },
    get window() {
      return there(window);
    },
    open: (path) => there(window).page.goto(`${there(site).url}/web/dashboard/${path}`),
  };
}
