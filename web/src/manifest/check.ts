import { useEffect, useState } from "react";
import { ApiError, postText } from "../api/client";
import type { Validation } from "../api/types";
import type { Draft } from "./text";

export interface Checked {
  /** The draft that the answer is about. */
  of: Draft;
  answer?: Validation;
  error?: ApiError;
}

/** After typing stops for so long, the API is asked. */
const restMilliseconds = 250;

/** Lets the API check a draft while it is written. The answer before stays until the next one is there. */
export function useCheck(draft: Draft): Checked | null {
  const [checked, setChecked] = useState<Checked | null>(null);
  const { kind, text } = draft;
  useEffect(() => {
    const stop = new AbortController();
    const of = { kind, text };
    const timer = setTimeout(() => {
      postText<Validation>("/api/workflow/manifest/validate", kind, text, {}, stop.signal).then(
        (answer) => setChecked({ of, answer }),
        (error: unknown) => {
          if (error instanceof ApiError) setChecked({ of, error });
        },
      );
    }, restMilliseconds);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [kind, text]);
  return checked;
}
