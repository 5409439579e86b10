import type { JSX, ReactNode } from "react";
import { Link, useRoute } from "wouter";
import { useStatus } from "./api/queries";
import { Icon, type IconName } from "./parts/icon";
import { LiveButton } from "./parts/livebutton";
import { ThemeSwitch } from "./parts/theme";

interface Entry {
  href: string;
  icon: IconName;
  word: string;
  /** How many there are, said beside the word; 0 is not said. */
  count?: number;
  /** What is counted. */
  of?: string;
}

/** What is around every page: the menu, how fresh the page is, and the colours. */
export function Frame({ children }: { children: ReactNode }): JSX.Element {
  const counts = useStatus().data?.counts;
  const entries: Entry[] = [
    { href: "/", icon: "overview", word: "Overview" },
    { href: "/jobs", icon: "jobs", word: "Jobs", count: (counts?.running ?? 0) + (counts?.queued ?? 0) + (counts?.waiting ?? 0), of: "running or queued" },
    { href: "/new", icon: "add", word: "New manifest" },
    { href: "/failures", icon: "failures", word: "Failures", count: counts?.failed_today ?? 0, of: "failed today" },
    { href: "/system", icon: "system", word: "System" },
  ];
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <div className="frame">
        <header className="side">
          <Link href="/" className="brand">
            <svg viewBox="0 0 32 32" aria-hidden="true">
              <rect width="32" height="32" rx="8" />
              <path d="M9 8v16M9 16h8M17 8v16" />
              <path className="brand-arrow" d="m21 12 4 4-4 4" />
            </svg>
            hyper2kvm
          </Link>
          <nav aria-label="Pages">
            <ul>
              {entries.map((e) => (
                <li key={e.href}>
                  <NavLink {...e} />
                </li>
              ))}
            </ul>
          </nav>
          <div className="side-foot">
            <LiveButton />
            <ThemeSwitch />
          </div>
        </header>
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
    </>
  );
}

function NavLink({ href, icon, word, count, of }: Entry): JSX.Element {
  const [here] = useRoute(href);
  return (
    <Link href={href} className="navlink" {...(here ? { "aria-current": "page" as const } : {})}>
      <Icon name={icon} />
      <span>{word}</span>
      {count ? (
        <span className="navcount">
          {count}
          <span className="sr"> {of}</span>
        </span>
      ) : null}
    </Link>
  );
}
