import type { JSX } from "react";
import type { Mode } from "../live/feed";
import { useFeed, useMode } from "../live/use";
import { Icon } from "./icon";

const words: Record<Mode, { word: string; says: string }> = {
  connecting: { word: "Connecting", says: "The page is connecting to the server." },
  live: { word: "Live", says: "Changes appear at once." },
  polling: { word: "Every 3 s", says: "There is no event stream: the page asks every three seconds." },
  paused: { word: "Paused", says: "Nothing on this page changes." },
};

/** Says how fresh the page is, and holds or lets go what it shows. The queue goes on either way. */
export function LiveButton(): JSX.Element {
  const feed = useFeed();
  const mode = useMode();
  const paused = mode === "paused";
  return (
    <div className="live">
      <span className={`badge live-${mode}`} title={words[mode].says}>
        <Icon name={paused ? "pause" : "live"} />
        {words[mode].word}
      </span>
      <button type="button" className="button button-bare" onClick={() => (paused ? feed.resume() : feed.pause())}>
        <Icon name={paused ? "running" : "pause"} />
        {paused ? "Refresh" : "Hold"}
        <span className="sr"> this page</span>
      </button>
    </div>
  );
}
