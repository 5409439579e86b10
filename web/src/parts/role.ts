import { useSession } from "../api/queries";

/** Whether this client may change things; until the server said so, it is assumed. */
export function useMayWrite(): boolean {
  return useSession().data?.role !== "read";
}

export const readOnlyReason = "Your token may only read";
