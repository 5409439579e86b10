import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState, type JSX } from "react";
import { useLocation, useSearch } from "wouter";
import { actOnAll, type Ask } from "../api/actions";
import { useJobs } from "../api/queries";
import type { Job } from "../api/types";
import { BulkBar } from "../parts/bulkbar";
import { Empty, Loading } from "../parts/empty";
import { Filters } from "../parts/filters";
import { Heading } from "../parts/heading";
import { JobTable } from "../parts/jobtable";
import { Pages } from "../parts/pages";
import { QuickActions } from "../parts/quick";
import { useSay } from "../parts/toasts";
import { Trouble } from "../parts/trouble";
import { count } from "../text/format";
import { change, formatListing, parseListing, type Listing } from "../text/listing";
import { priorityWord } from "../text/priority";

/** All jobs of all days. What is shown stands in the address, so that it can be sent to somebody. */
export function Jobs(): JSX.Element {
  const listing = parseListing(useSearch());
  const [, navigate] = useLocation();
  const client = useQueryClient();
  const say = useSay();
  const jobs = useJobs(listing);
  const [marked, setMarked] = useState<ReadonlyMap<string, Job>>(new Map());
  const list = jobs.data;

  // A marked job that is on this page counts with the state that it has now.
  const chosen = useMemo(() => [...marked.values()].map((m) => list?.jobs.find((j) => j.id === m.id) ?? m), [marked, list]);

  const show = (next: Listing, replace = false): void => {
    const search = formatListing(next);
    navigate(search ? `/jobs?${search}` : "/jobs", { replace });
  };
  const mark = (rows: readonly Job[], on: boolean): void => {
    const next = new Map(marked);
    for (const job of rows) {
      if (on) next.set(job.id, job);
      else next.delete(job.id);
    }
    setMarked(next);
  };
  const act = async (ask: Ask, ids: string[]): Promise<void> => {
    const result = await actOnAll(ask, ids);
    if (result.done > 0) say("good", `${count(result.done, "job")} ${told(ask)}`);
    for (const r of result.refused.slice(0, 3)) say("bad", `${r.id}: ${r.why}`);
    setMarked(new Map());
    await client.invalidateQueries();
  };

  return (
    <>
      <Heading title="Jobs" />
      <QuickActions />
      <Filters listing={listing} counts={list?.counts} show={(to, replace) => show(change(listing, to), replace)} />
      {jobs.error ? <Trouble error={jobs.error} retry={() => void jobs.refetch()} /> : null}
      <p className="muted small" role="status">
        {list ? `${count(list.total, "job")}${list.more ? ", and older ones that the server does not keep in mind" : ""}` : ""}
      </p>
      {chosen.length > 0 ? <BulkBar chosen={chosen} act={act} clear={() => setMarked(new Map())} /> : null}
      {list === undefined && !jobs.error ? <Loading what="the jobs" /> : null}
      {list && list.jobs.length === 0 ? (
        <Empty title="No job is like this.">
          {formatListing(listing) === "" ? "Drop a disk into to_be_processed, or submit a manifest." : "Another filter may find some."}
        </Empty>
      ) : null}
      {list && list.jobs.length > 0 ? <JobTable jobs={list.jobs} sort={listing.sort} setSort={(sort) => show(change(listing, { sort }))} marked={marked} mark={mark} /> : null}
      {list ? <Pages list={list} listing={listing} show={show} /> : null}
    </>
  );
}

/** What was done with jobs, behind how many they are. */
function told(ask: Ask): string {
  switch (ask.verb) {
    case "retry":
      return "put back into the queue";
    case "cancel":
      return "cancelled";
    case "release":
      return "released";
    case "priority":
      return `set to priority ${priorityWord(ask.priority).toLowerCase()}`;
  }
}
