import { useId, type JSX, type ReactNode } from "react";

interface PanelProps {
  title: string;
  /** What stands beside the title. */
  aside?: ReactNode;
  className?: string;
  children: ReactNode;
}

/** A part of a page under its own heading. */
export function Panel({ title, aside, className, children }: PanelProps): JSX.Element {
  const id = useId();
  return (
    <section className={className ? `panel ${className}` : "panel"} aria-labelledby={id}>
      <div className="panel-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}
