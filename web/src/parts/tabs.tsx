import { useId, type JSX, type KeyboardEvent, type ReactNode } from "react";

export interface Tab {
  key: string;
  name: string;
  count?: number | undefined;
  body: () => ReactNode;
}

interface TabsProps {
  label: string;
  tabs: readonly Tab[];
  current: string;
  choose: (key: string) => void;
}

/** Panes of which one is seen. Arrow keys go from one to the next, as people who use a keyboard expect of tabs. */
export function Tabs({ label, tabs, current, choose }: TabsProps): JSX.Element {
  const id = useId();
  const now = tabs.find((t) => t.key === current) ?? tabs[0];
  const onKey = (event: KeyboardEvent<HTMLDivElement>): void => {
    const at = tabs.findIndex((t) => t.key === now?.key);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    const next = to === undefined ? undefined : tabs.at(to % tabs.length);
    if (!next) return;
    event.preventDefault();
    choose(next.key);
    document.getElementById(`${id}-${next.key}`)?.focus();
  };
  if (!now) return <></>;
  return (
    <div className="tabs">
      {/* oxlint-disable-next-line jsx-a11y/interactive-supports-focus -- the tabs in it take the focus */}
      <div role="tablist" aria-label={label} onKeyDown={onKey}>
        {tabs.map((t) => (
          <button
            key={t.key}
            type="button"
            role="tab"
            id={`${id}-${t.key}`}
            aria-selected={t.key === now.key}
            aria-controls={`${id}-pane`}
            tabIndex={t.key === now.key ? 0 : -1}
            onClick={() => choose(t.key)}
          >
            {t.name}
            {t.count ? <span className="chip-count">{t.count}</span> : null}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-pane`} aria-labelledby={`${id}-${now.key}`}>
        {now.body()}
      </div>
    </div>
  );
}
