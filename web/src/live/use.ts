import { createContext, useContext, useSyncExternalStore } from "react";
import type { Feed, Mode } from "./feed";
import type { Samples } from "./samples";

/** Set once by main.tsx. */
export const FeedContext = createContext<Feed | null>(null);

export function useFeed(): Feed {
  const feed = useContext(FeedContext);
  if (!feed) throw new Error("there is no Feed around this component");
  return feed;
}

export function useMode(): Mode {
  const feed = useFeed();
  return useSyncExternalStore(feed.subscribe, feed.getMode);
}

export function useSamples(): Samples {
  const feed = useFeed();
  return useSyncExternalStore(feed.subscribe, feed.getSamples);
}

/** The refresh of pages without a stream, in milliseconds. */
const pollEvery = 3000;

export function useRefetchEvery(): number | false {
  return useMode() === "polling" ? pollEvery : false;
}
