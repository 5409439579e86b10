import type { JSX } from "react";
import type { JobList } from "../api/types";
import type { Listing } from "../text/listing";
import { Icon } from "./icon";

interface PagesProps {
  list: JobList;
  listing: Listing;
  show: (next: Listing) => void;
}

/** Leads through the pages of a list. */
export function Pages({ list, listing, show }: PagesProps): JSX.Element | null {
  if (listing.trail.length === 0 && !list.next) return null;
  const next = list.next;
  return (
    <nav className="row row-apart pages" aria-label="Pages of the list">
      <button type="button" className="button" disabled={listing.trail.length === 0} onClick={() => show({ ...listing, trail: listing.trail.slice(0, -1) })}>
        <Icon name="previous" />
        Previous
      </button>
      <span className="muted">
        {list.first + 1} to {list.first + list.jobs.length} of {list.total}
      </span>
      <button type="button" className="button" disabled={!next} onClick={() => (next ? show({ ...listing, trail: [...listing.trail, next] }) : undefined)}>
        Next
        <Icon name="next" />
      </button>
    </nav>
  );
}
