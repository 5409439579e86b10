import type { JSX } from "react";
import { Icon } from "./icon";
import { useSay } from "./toasts";

/** A text that is meant to be used elsewhere, with a button that takes it along. */
export function Copyable({ text, what }: { text: string; what: string }): JSX.Element {
  const say = useSay();
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      say("good", `Copied: ${what}`);
    } catch {
      say("bad", "The browser does not let this page copy; select the text instead.");
    }
  };
  return (
    <span className="copyable">
      <code>{text}</code>
      <button type="button" className="button button-bare" aria-label={`Copy ${what}`} onClick={() => void copy()}>
        <Icon name="copy" />
      </button>
    </span>
  );
}
