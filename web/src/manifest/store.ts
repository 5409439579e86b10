import { emptyDraft } from "./vms";
import type { Draft } from "./text";

const key = "hyper2kvm.draft";

/** The draft that this browser was last left with. */
export function loadDraft(): Draft {
  try {
    const draft = JSON.parse(localStorage.getItem(key) ?? "") as Draft;
    if ((draft.kind === "yaml" || draft.kind === "json") && typeof draft.text === "string") return draft;
  } catch {
    // There is none.
  }
  return emptyDraft;
}

export function keepDraft(draft: Draft | null): void {
  try {
    if (draft === null) localStorage.removeItem(key);
    else localStorage.setItem(key, JSON.stringify(draft));
  } catch {
    // Without room or leave to store, the draft lives as long as the page.
  }
}
