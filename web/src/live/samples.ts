/** One look at how fast all jobs together go. Times are seconds since 1970, rates bytes per second. */
export interface Samples {
  at: number[];
  rate: number[];
}

/** A quarter of an hour, one sample a second. */
export const maxSamples = 900;

/** Adds a sample; after a gap the line is broken, because nobody knows what was in between. */
export function addSample(s: Samples, at: number, rate: number): Samples {
  const last = s.at.at(-1);
  if (last !== undefined && at <= last) return s;
  const times = [...s.at, at];
  const rates = [...s.rate, rate];
  if (last !== undefined && at - last > 10) {
    times.splice(-1, 0, last + 1, at - 1);
    rates.splice(-1, 0, Number.NaN, Number.NaN);
  }
  return { at: times.slice(-maxSamples), rate: rates.slice(-maxSamples) };
}
