import { useMemo, type JSX } from "react";
import type uPlot from "uplot";
import { useSamples } from "../live/use";
import { bytes, rate } from "../text/format";
import { Loading } from "./empty";
import Plot, { type Colour } from "./plot";

/** Sizes at which a scale of bytes has its marks. */
const increments = Array.from({ length: 40 }, (_, i) => 2 ** i);

const axisFont = "12px system-ui, sans-serif";

function options(colour: Colour): Omit<uPlot.Options, "width" | "height"> {
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: axisFont };
  return {
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { show: false },
    padding: [12, 8, 0, 0],
    scales: { y: { range: (_, __, max) => [0, Math.max(max * 1.15, 1024 * 1024)] } },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 80, values: (_, ticks) => ticks.map((t) => new Date(t * 1000).toTimeString().slice(0, 8)) },
      { ...axis, size: 78, incrs: increments, space: 36, values: (_, ticks) => ticks.map((t) => rate(t)) },
    ],
    series: [{}, { stroke: colour("accent"), fill: colour("accent-tint"), width: 2, spanGaps: false, points: { show: false } }],
  };
}

/** How fast all running jobs together go, as long as this page was open. */
export default function Throughput(): JSX.Element {
  const samples = useSamples();
  const data = useMemo<uPlot.AlignedData>(() => {
    // At least two minutes are shown, so that the first seconds are not drawn as a wall.
    const last = samples.at.at(-1) ?? 0;
    const first = last - 120;
    const early = (samples.at[0] ?? 0) > first;
    const rates = samples.rate.map((r) => (Number.isNaN(r) ? null : r));
    return early ? [[first, ...samples.at], [null, ...rates]] : [samples.at, rates];
  }, [samples]);
  if (samples.at.length === 0) return <Loading what="the rates" />;
  const now = samples.rate.at(-1) ?? 0;
  const peak = samples.rate.reduce((most, r) => (r > most ? r : most), 0);
  return (
    <>
      <p className="plot-now">
        <strong>{rate(now)}</strong> <span className="muted">now, {bytes(peak)}/s at most</span>
      </p>
      <Plot data={data} options={options} height={180} label={`Throughput of all jobs: ${rate(now)} now, ${rate(peak)} at most since this page was opened`} />
    </>
  );
}
