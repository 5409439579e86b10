import { useEffect, useRef, type JSX } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

/** Draws on a canvas, which knows no style sheet: colours are looked up in it by name each time. */
export type Colour = (name: string) => string;

interface PlotProps {
  data: uPlot.AlignedData;
  options: (colour: Colour) => Omit<uPlot.Options, "width" | "height">;
  height: number;
  /** What the picture shows, in words. */
  label: string;
}

export default function Plot({ data, options, height, label }: PlotProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef({ data, options });
  useEffect(() => {
    latest.current = { data, options };
  }, [data, options]);

  useEffect(() => {
    const at = box.current;
    if (!at) return undefined;
    const probe = document.createElement("span");
    probe.hidden = true;
    at.append(probe);
    const colour: Colour = (name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color; // a custom property would come out as light-dark(…)
    };
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot({ ...latest.current.options(colour), width: Math.max(at.clientWidth, 100), height }, latest.current.data, at);
    };
    draw();
    const size = new ResizeObserver(() => plot.current?.setSize({ width: Math.max(at.clientWidth, 100), height }));
    size.observe(at);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", draw);
    window.addEventListener("themechange", draw);
    return () => {
      size.disconnect();
      scheme.removeEventListener("change", draw);
      window.removeEventListener("themechange", draw);
      plot.current?.destroy();
      plot.current = null;
      probe.remove();
    };
  }, [height]);

  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);

  return <div ref={box} className="plot" role="img" aria-label={label} />;
}
