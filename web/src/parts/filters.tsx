import { useEffect, useRef, useState, type JSX } from "react";
import type { State } from "../api/types";
import { capital } from "../text/format";
import { states, type Listing } from "../text/listing";
import { Icon } from "./icon";

interface FiltersProps {
  listing: Listing;
  counts: Partial<Record<State, number>> | undefined;
  show: (to: Partial<Omit<Listing, "trail">>, replace?: boolean) => void;
}

/** After typing stops for so long, the list follows. */
const restMilliseconds = 250;

/** Narrows the list by state, words and day. */
export function Filters({ listing, counts, show }: FiltersProps): JSX.Element {
  const [text, setText] = useState(listing.q);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const asked = useRef(listing.q);
  useEffect(() => {
    if (listing.q === asked.current) return;
    asked.current = listing.q; // the address changed by the browser's own buttons
    setText(listing.q);
  }, [listing.q]);
  const toggle = (state: State): void => {
    show({ states: listing.states.includes(state) ? listing.states.filter((s) => s !== state) : [...listing.states, state] });
  };
  const type = (q: string): void => {
    setText(q);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      asked.current = q;
      show({ q }, true);
    }, restMilliseconds);
  };
  return (
    <search className="filters">
      <div className="chips" role="group" aria-label="States">
        <button type="button" className="chip" aria-pressed={listing.states.length === 0} onClick={() => show({ states: [] })}>
          All
        </button>
        {states.map((state) => (
          <button key={state} type="button" className="chip" aria-pressed={listing.states.includes(state)} onClick={() => toggle(state)}>
            <Icon name={state} />
            {capital(state)}
            {counts ? <span className="chip-count">{counts[state] ?? 0}</span> : null}
          </button>
        ))}
      </div>
      <div className="row">
        <label className="search">
          <Icon name="search" />
          <span className="sr">Words in the name; !word leaves out</span>
          <input type="search" placeholder="Words in the name, !word leaves out" maxLength={200} value={text} onChange={(e) => type(e.target.value)} />
        </label>
        <label className="inline">
          <span>Ended on</span>
          <input type="date" value={listing.date} onChange={(e) => show({ date: e.target.value })} />
        </label>
      </div>
    </search>
  );
}
