import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { useEffect, useImperativeHandle, useRef, type JSX, type Ref } from "react";
import type { Mark } from "./marks";
import type { Kind } from "./text";

export interface EditorHandle {
  /** Puts the cursor there and shows it. */
  goTo: (at: number) => void;
}

interface EditorProps {
  kind: Kind;
  text: string;
  marks: readonly Mark[];
  label: string;
  onText: (text: string) => void;
  ref?: Ref<EditorHandle>;
}

/** The nonce under which the page's policy lets the editor add its styles. */
function nonce(): string {
  return document.querySelector<HTMLMetaElement>("meta[property=csp-nonce]")?.nonce ?? "";
}

/** A text editor with line numbers and marks. The Tab key leaves it, as everywhere on the page. */
export function Editor({ kind, text, marks, label, onText, ref }: EditorProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const language = useRef(new Compartment());
  const tell = useRef(onText);
  const first = useRef({ kind, text, label });
  useEffect(() => {
    tell.current = onText;
  }, [onText]);

  useEffect(() => {
    if (!box.current) return undefined;
    const editor = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: first.current.text,
        extensions: [
          EditorView.cspNonce.of(nonce()),
          lineNumbers(),
          lintGutter(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          highlightActiveLine(),
          syntaxHighlighting(classHighlighter),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": first.current.label }),
          language.current.of(first.current.kind === "json" ? json() : yaml()),
          keymap.of([...defaultKeymap, ...historyKeymap, ...lintKeymap]),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) tell.current(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      editor.destroy();
      view.current = null;
    };
  }, []);

  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(kind === "json" ? json() : yaml()) });
  }, [kind]);

  useEffect(() => {
    const editor = view.current;
    if (editor) replace(editor, text);
  }, [text]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const end = editor.state.doc.length; // the text may have become shorter since it was checked
    editor.dispatch(setDiagnostics(editor.state, marks.map((m) => ({ ...m, from: Math.min(m.from, end), to: Math.min(m.to, end) }))));
  }, [marks]);

  useImperativeHandle(ref, () => ({
    goTo: (at) => {
      view.current?.dispatch({ selection: { anchor: Math.min(at, view.current.state.doc.length) }, scrollIntoView: true });
      view.current?.focus();
    },
  }));

  return <div ref={box} className="editor" />;
}

/** Changes only what differs, so that the cursor and the undo history stay. */
function replace(editor: EditorView, text: string): void {
  const old = editor.state.doc.toString();
  if (old === text) return;
  let from = 0;
  while (from < old.length && from < text.length && old[from] === text[from]) from++;
  let same = 0;
  while (same < old.length - from && same < text.length - from && old.at(-1 - same) === text.at(-1 - same)) same++;
  editor.dispatch({ changes: { from, to: old.length - same, insert: text.slice(from, text.length - same) } });
}
