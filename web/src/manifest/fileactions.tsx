import { useRef, type JSX } from "react";
import { Icon } from "../parts/icon";
import { useSay } from "../parts/toasts";
import { emptyDraft } from "./vms";
import type { Draft } from "./text";

/** No manifest is larger: the API takes no more. */
const maxBytes = 1 << 20;

/** Takes a manifest from this computer, gives it back, or begins a new one. */
export function FileActions({ draft, name, setDraft }: { draft: Draft; name: string; setDraft: (draft: Draft) => void }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const say = useSay();
  const open = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    if (file.size > maxBytes) {
      say("bad", `${file.name} is larger than a manifest may be. Disks are not uploaded: copy them into to_be_processed.`);
      return;
    }
    setDraft({ kind: /\.json$/i.test(file.name) ? "json" : "yaml", text: await file.text() });
  };
  const download = (): void => {
    const url = URL.createObjectURL(new Blob([draft.text], { type: `application/${draft.kind}` }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${name}.${draft.kind}`;
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <>
      <input
        ref={input}
        type="file"
        className="sr"
        tabIndex={-1}
        aria-hidden="true"
        accept=".json,.yaml,.yml"
        onChange={(e) => {
          void open(e.target.files?.[0]);
          e.target.value = "";
        }}
      />
      <button type="button" className="button" onClick={() => input.current?.click()}>
        <Icon name="file" />
        Open a file
      </button>
      <button type="button" className="button" onClick={download}>
        <Icon name="download" />
        Download
      </button>
      <button type="button" className="button button-bare" onClick={() => setDraft(emptyDraft)}>
        Start over
      </button>
    </>
  );
}
