import { Document, isCollection, parseDocument } from "yaml";

/** The two ways to write a manifest. */
export type Kind = "yaml" | "json";

export type Path = readonly (string | number)[];

/** A text as it stands and how it is written. It is the manifest; the form only looks at it and edits it. */
export interface Draft {
  kind: Kind;
  text: string;
}

/** What a text says; undefined when it cannot be read (the API says why, with the place). */
export function read(draft: Draft): unknown {
  if (draft.kind === "json") {
    try {
      return JSON.parse(draft.text) as unknown;
    } catch {
      return undefined;
    }
  }
  const doc = parseDocument(draft.text);
  if (doc.errors.length > 0) return undefined;
  try {
    return doc.toJS({ maxAliasCount: 0 }) as unknown;
  } catch {
    return undefined; // aliases, which manifests do not have
  }
}

export function write(kind: Kind, value: unknown): string {
  return kind === "json" ? `${JSON.stringify(value, null, 2)}\n` : new Document(value).toString(yamlStyle);
}

const yamlStyle = { lineWidth: 0, indentSeq: true } as const;

/** The text with the value at the path; undefined takes it away, and with it what is empty then. Comments and order stay. */
export function setAt(draft: Draft, path: Path, value: unknown): Draft {
  const doc = parseDocument(draft.kind === "json" ? write("yaml", read(draft) ?? {}) : draft.text);
  if (doc.errors.length > 0) return draft;
  if (value === undefined) remove(doc, path);
  else put(doc, path, value);
  return { kind: draft.kind, text: draft.kind === "json" ? write("json", doc.toJS()) : doc.toString(yamlStyle) };
}

function put(doc: Document, path: Path, value: unknown): void {
  // What stands where a map must be, as in `fix:` with nothing behind it, gives way to one.
  for (let i = 0; i < path.length; i++) {
    const at = path.slice(0, i);
    if (isCollection(doc.getIn(at, true))) continue;
    doc.setIn(at, doc.createNode({}));
  }
  doc.setIn(path, doc.createNode(value));
}

function remove(doc: Document, path: Path): void {
  if (!doc.hasIn(path)) return;
  doc.deleteIn(path);
  for (let i = path.length - 1; i > 0; i--) {
    const node = doc.getIn(path.slice(0, i), true);
    if (!isCollection(node) || node.items.length > 0) return;
    doc.deleteIn(path.slice(0, i));
  }
}

/** The same manifest written the other way. A text that cannot be read stays as it is. */
export function convert(draft: Draft, kind: Kind): Draft {
  if (draft.kind === kind) return draft;
  const value = read(draft);
  return value === undefined ? draft : { kind, text: write(kind, value) };
}

/** What stands at a path of a value. */
export function getAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at;
}
