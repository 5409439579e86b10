import { keepPreviousData, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useRefetchEvery } from "../live/use";
import type { Listing } from "../text/listing";
import { listingQuery } from "../text/listing";
import { getJSON, jobPath } from "./client";
import type { Code, Failures, Finding, History, JobDetail, JobList, Report, Session, Status } from "./types";

/** How often counts of hours are read anew while nothing tells of a change. */
const minute = 60_000;

export function useStatus(): UseQueryResult<Status> {
  const every = useRefetchEvery();
  return useQuery({ queryKey: ["status"], queryFn: ({ signal }) => getJSON<Status>("/api/workflow/status", signal), refetchInterval: every });
}

export function useActive(): UseQueryResult<JobList> {
  const every = useRefetchEvery();
  return useQuery({ queryKey: ["active"], queryFn: ({ signal }) => getJSON<JobList>("/api/workflow/jobs/active", signal), refetchInterval: every });
}

export function useJobs(listing: Listing): UseQueryResult<JobList> {
  const every = useRefetchEvery();
  const query = listingQuery(listing);
  return useQuery({
    queryKey: ["jobs", query],
    queryFn: ({ signal }) => getJSON<JobList>(`/api/workflow/jobs?${query}`, signal),
    refetchInterval: every,
    placeholderData: keepPreviousData,
  });
}

export function useJob(id: string): UseQueryResult<JobDetail> {
  const every = useRefetchEvery();
  return useQuery({ queryKey: ["job", id], queryFn: ({ signal }) => getJSON<JobDetail>(jobPath(id), signal), refetchInterval: every, enabled: id !== "" });
}

export function useReport(id: string, there: boolean): UseQueryResult<Report> {
  return useQuery({ queryKey: ["report", id], queryFn: ({ signal }) => getJSON<Report>(jobPath(id, "/report"), signal), enabled: there, staleTime: Infinity });
}

export function useFailures(): UseQueryResult<Failures> {
  const every = useRefetchEvery();
  return useQuery({ queryKey: ["failures"], queryFn: ({ signal }) => getJSON<Failures>("/api/workflow/failures", signal), refetchInterval: every });
}

export function useHistory(): UseQueryResult<History> {
  return useQuery({ queryKey: ["history"], queryFn: ({ signal }) => getJSON<History>("/api/workflow/history?hours=24", signal), refetchInterval: minute });
}

export function useSession(): UseQueryResult<Session> {
  return useQuery({ queryKey: ["session"], queryFn: ({ signal }) => getJSON<Session>("/api/session", signal), staleTime: Infinity });
}

export function useCodes(): UseQueryResult<Code[]> {
  return useQuery({
    queryKey: ["codes"],
    queryFn: async ({ signal }) => (await getJSON<{ codes: Code[] }>("/api/codes", signal)).codes,
    staleTime: Infinity,
  });
}

export function useDoctor(): UseQueryResult<Finding[]> {
  return useQuery({
    queryKey: ["doctor"],
    queryFn: async ({ signal }) => (await getJSON<{ checks: Finding[] }>("/api/doctor", signal)).checks,
    staleTime: minute,
  });
}
