import { useEffect, useRef, type JSX, type ReactNode } from "react";

interface HeadingProps {
  title: string;
  /** For the tab of the browser, when the title alone would not tell. */
  tab?: string;
  children?: ReactNode;
}

/** Whether the browser has just loaded the dashboard: it begins at the top of the page then, with the link that skips the menu. */
let fresh = true;

/** The heading of a page. It takes the focus when another page was open before, so that who listens hears where they are. */
export function Heading({ title, tab, children }: HeadingProps): JSX.Element {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${tab ?? title} – hyper2kvm`;
  }, [tab, title]);
  useEffect(() => {
    if (fresh) {
      fresh = false;
      return;
    }
    if (document.activeElement === document.body || document.activeElement === null || document.activeElement.closest("nav")) {
      ref.current?.focus({ preventScroll: true });
    }
  }, []);
  return (
    <div className="heading">
      <h1 ref={ref} tabIndex={-1}>
        {title}
      </h1>
      {children ? <div className="row">{children}</div> : null}
    </div>
  );
}
