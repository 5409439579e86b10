import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo, useRef, useState, type JSX } from "react";
import { useLocation } from "wouter";
import { postText } from "../api/client";
import type { Plan, Submission } from "../api/types";
import { useCheck } from "../manifest/check";
import { Editor, type EditorHandle } from "../manifest/editor";
import { FileActions } from "../manifest/fileactions";
import { Form } from "../manifest/form";
import { marksOf } from "../manifest/marks";
import { Problems } from "../manifest/problems";
import { keepDraft, loadDraft } from "../manifest/store";
import { convert, read, setAt, type Draft, type Kind } from "../manifest/text";
import { addVM, removeVM, shapeOf } from "../manifest/vms";
import { Heading } from "../parts/heading";
import { Icon } from "../parts/icon";
import { jobHref } from "../parts/link";
import { Panel } from "../parts/panel";
import { PlanView } from "../parts/planview";
import { readOnlyReason, useMayWrite } from "../parts/role";
import { useSay } from "../parts/toasts";
import { Trouble } from "../parts/trouble";

const kinds: readonly { kind: Kind; word: string }[] = [
  { kind: "yaml", word: "YAML" },
  { kind: "json", word: "JSON" },
];

/** Makes a manifest by form or as text, which follow each other, and hands it in. */
export function Builder(): JSX.Element {
  const [draft, setDraftOnly] = useState<Draft>(loadDraft);
  const [vm, setVM] = useState(0);
  const editor = useRef<EditorHandle>(null);
  const client = useQueryClient();
  const say = useSay();
  const mayWrite = useMayWrite();
  const [, navigate] = useLocation();
  const checked = useCheck(draft);
  const shape = useMemo(() => shapeOf(draft), [draft]);
  const value = useMemo(() => read(draft), [draft]);
  const problems = useMemo(() => checked?.answer?.problems ?? [], [checked]);
  const marks = useMemo(() => (checked ? marksOf(checked.of.text, problems) : []), [checked, problems]);
  const current = "vms" in shape ? (shape.vms[vm] ?? shape.vms[0]) : undefined;
  const name = checked?.answer?.vms[0] ?? "manifest";

  const plan = useMutation({ mutationFn: (d: Draft) => postText<{ plans: Plan[] }>("/api/workflow/manifest/plan", d.kind, d.text) });
  const submit = useMutation({
    mutationFn: (d: Draft) => postText<Submission>("/api/workflow/manifest/submit", d.kind, d.text),
    onSuccess: (answer) => {
      say("good", `${answer.id} is in the queue`);
      if (answer.waits_for.length > 0) say("bad", `It waits for ${answer.waits_for.join(", ")}: copy it into to_be_processed.`);
      keepDraft(null);
      void client.invalidateQueries();
      navigate(answer.vms.length > 1 ? "/jobs" : jobHref(answer.id));
    },
  });
  const setDraft = (next: Draft): void => {
    setDraftOnly(next);
    keepDraft(next);
    plan.reset();
    submit.reset();
  };

  const valid = checked?.answer?.valid === true && checked.of.text === draft.text;
  return (
    <>
      <Heading title="New manifest">
        <FileActions draft={draft} name={name} setDraft={setDraft} />
      </Heading>
      <div className="builder">
        <div>
          {"why" in shape ? (
            <div className="note">
              <Icon name="info" />
              <p>{shape.why}</p>
            </div>
          ) : (
            <>
              <div className="chips" role="group" aria-label="VMs of the manifest">
                {shape.vms.map((v, i) => (
                  <button key={v.base.join(".")} type="button" className="chip" aria-pressed={v === current} onClick={() => setVM(i)}>
                    {v.name}
                  </button>
                ))}
                <button
                  type="button"
                  className="chip"
                  onClick={() => {
                    setDraft(addVM(draft));
                    setVM(shape.vms.length);
                  }}
                >
                  <Icon name="add" />
                  Add another VM
                </button>
                {shape.batch && shape.vms.length > 1 ? (
                  <button
                    type="button"
                    className="chip"
                    onClick={() => {
                      setDraft(removeVM(draft, vm));
                      setVM(Math.max(vm - 1, 0));
                    }}
                  >
                    <Icon name="close" />
                    Remove {current?.name}
                  </button>
                ) : null}
              </div>
              {current ? <Form value={value} base={current.base} problems={problems} set={(path, v) => setDraft(setAt(draft, path, v))} /> : null}
            </>
          )}
        </div>
        <div className="builder-text">
          <div className="row row-apart">
            <div className="chips" role="group" aria-label="How the text is written">
              {kinds.map(({ kind, word }) => (
                <button key={kind} type="button" className="chip" aria-pressed={draft.kind === kind} onClick={() => setDraft(convert(draft, kind))}>
                  {word}
                </button>
              ))}
            </div>
            <div className="row">
              <button type="button" className="button" disabled={!valid || plan.isPending} onClick={() => plan.mutate(draft)}>
                <Icon name="search" />
                {plan.isPending ? "Planning …" : "Plan"}
              </button>
              <button
                type="button"
                className="button button-main"
                disabled={!valid || !mayWrite || submit.isPending}
                {...(mayWrite ? {} : { title: readOnlyReason })}
                onClick={() => submit.mutate(draft)}
              >
                <Icon name="send" />
                Submit
              </button>
            </div>
          </div>
          <Editor ref={editor} kind={draft.kind} text={draft.text} marks={marks} label={`The manifest as ${draft.kind.toUpperCase()}`} onText={(text) => (text === draft.text ? undefined : setDraft({ kind: draft.kind, text }))} />
          <Problems checked={checked} goTo={(i) => editor.current?.goTo(marks[i]?.from ?? 0)} />
          {submit.error ? <Trouble error={submit.error} /> : null}
          {plan.error ? <Trouble error={plan.error} /> : null}
          {plan.data ? (
            <Panel title="What would be done">
              {plan.data.plans.map((p) => (
                <PlanView key={p.name} plan={p} />
              ))}
            </Panel>
          ) : null}
        </div>
      </div>
    </>
  );
}
