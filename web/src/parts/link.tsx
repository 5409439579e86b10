import type { JSX, ReactNode } from "react";
import { Link } from "wouter";

/** Address of a job's page. The id stands in the query: names of entries have dots, and the server takes what has one for a file. */
export function jobHref(id: string, tab?: string): string {
  const params = new URLSearchParams({ id });
  if (tab) params.set("tab", tab);
  return `/job?${params.toString()}`;
}

export function JobLink({ id, children }: { id: string; children: ReactNode }): JSX.Element {
  return (
    <Link href={jobHref(id)} className="joblink">
      {children}
    </Link>
  );
}
