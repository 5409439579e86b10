import { useMemo, type JSX } from "react";
import uPlot from "uplot";
import type { History } from "../api/types";
import { count } from "../text/format";
import Plot, { type Colour } from "./plot";

const axisFont = "12px system-ui, sans-serif";

function options(colour: Colour): Omit<uPlot.Options, "width" | "height"> {
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: axisFont };
  const bars = (name: string): uPlot.Series => ({
    stroke: colour(name),
    fill: colour(name),
    width: 0,
    points: { show: false },
    ...(uPlot.paths.bars ? { paths: uPlot.paths.bars({ size: [0.7, 24], align: 1 }) } : {}),
  });
  return {
    cursor: { drag: { x: false, y: false }, points: { show: false } },
    legend: { show: false },
    padding: [12, 8, 0, 0],
    // The last bar reaches from the beginning of this hour to its end.
    scales: { x: { range: (plot, min, max) => [min, max + hourOf(plot.data[0])] }, y: { range: (_, __, max) => [0, Math.max(Math.ceil(max * 1.1), 4)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 60, values: (_, ticks) => ticks.map((t) => new Date(t * 1000).toTimeString().slice(0, 5)) },
      { ...axis, size: 36, space: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000] },
    ],
    // The failed ones stand in front, from the bottom; behind them are all.
    series: [{}, bars("good"), bars("bad")],
  };
}

/** Seconds between two bars. */
function hourOf(times: ArrayLike<number>): number {
  return (times[1] ?? 0) - (times[0] ?? 0);
}

/** How many jobs ended in each of the last hours. */
export default function Outcomes({ history }: { history: History }): JSX.Element {
  const spans = history.spans;
  const data = useMemo<uPlot.AlignedData>(
    () => [spans.map((s) => Date.parse(s.from) / 1000), spans.map((s) => s.done + s.failed), spans.map((s) => s.failed)],
    [spans],
  );
  const done = spans.reduce((n, s) => n + s.done, 0);
  const failed = spans.reduce((n, s) => n + s.failed, 0);
  return (
    <>
      <p className="plot-now">
        <span className="key key-good" /> {done} done <span className="key key-bad" /> {failed} failed
      </p>
      <Plot data={data} options={options} height={180} label={`Jobs that ended in the last ${count(spans.length, "hour")}: ${done} done, ${failed} failed`} />
    </>
  );
}
