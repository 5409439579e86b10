import type { JSX, ReactNode } from "react";

/** Stands where there is nothing to show, and says what would make something appear. */
export function Empty({ title, children }: { title: string; children?: ReactNode }): JSX.Element {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children ? <div className="muted">{children}</div> : null}
    </div>
  );
}

/** Stands where something is being read. */
export function Loading({ what }: { what: string }): JSX.Element {
  return (
    <div className="empty" role="status" aria-busy="true">
      <p className="muted">Reading {what} …</p>
    </div>
  );
}
