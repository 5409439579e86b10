import { getAt, read, setAt, write, type Draft, type Path } from "./text";

/** What the form finds in a text: the VMs that it can edit, or why it cannot. */
export type Shape = { vms: { name: string; base: Path }[]; batch: boolean } | { why: string };

export const emptyDraft: Draft = {
  kind: "yaml",
  text: `version: "1.0"
pipeline:
  load:
    source_path: ""
`,
};

export function shapeOf(draft: Draft): Shape {
  const value = read(draft);
  if (value === undefined) return { why: "The text cannot be read as it stands; the form is back when it can." };
  if (value === null) return { vms: [{ name: "VM", base: [] }], batch: false };
  if (typeof value !== "object" || Array.isArray(value)) return { why: "A manifest is a map of keys; the form is back when the text is one." };
  if ("input" in value || "jobs" in value) return { why: "This is a job config. It is checked, planned and submitted like any other; the form edits pipeline manifests only." };
  if ("manifest_version" in value || "disks" in value) {
    return { why: "This is an artifact manifest. It is checked, planned and submitted like any other; the form edits pipeline manifests only." };
  }
  const vms = getAt(value, ["vms"]);
  if (!Array.isArray(vms)) return { vms: [{ name: nameOf(value, 0), base: [] }], batch: false };
  return { vms: vms.map((vm: unknown, i) => ({ name: nameOf(vm, i), base: ["vms", i] })), batch: true };
}

function nameOf(vm: unknown, i: number): string {
  const name = getAt(vm, ["name"]);
  if (typeof name === "string" && name !== "") return name;
  const source = getAt(vm, ["pipeline", "load", "source_path"]);
  const path: unknown = Array.isArray(source) ? source[0] : source;
  if (typeof path !== "string" || path === "") return `VM ${i + 1}`;
  return (path.split("/").at(-1) ?? path).replace(/\.[^.]+$/, "");
}

/** What of a single manifest belongs to its VM. */
const ownKeys = new Set(["name", "pipeline", "vm", "nics", "network_map", "tags"]);

/** Adds a VM: a single manifest becomes a batch. What was said for the VM that there was goes along. */
export function addVM(draft: Draft): Draft {
  const shape = shapeOf(draft);
  if (!("vms" in shape)) return draft;
  const value = (read(draft) ?? {}) as Record<string, unknown>;
  const fresh = { name: `vm${shape.vms.length + 1}`, pipeline: { load: { source_path: "" } } };
  if (shape.batch) return setAt(draft, ["vms", shape.vms.length], fresh);
  const first: Record<string, unknown> = { name: nameOf(value, 0).replace(/^VM 1$/, "vm1") };
  const rest: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    if (ownKeys.has(key)) first[key] = part;
    else if (key !== "options") rest[key] = part;
  }
  return { kind: draft.kind, text: write(draft.kind, { version: "1.0", ...rest, batch: true, vms: [first, fresh] }) };
}

/** Takes a VM out of a batch; the last one stays. */
export function removeVM(draft: Draft, index: number): Draft {
  const vms = getAt(read(draft), ["vms"]);
  if (!Array.isArray(vms) || vms.length < 2) return draft;
  return setAt(draft, ["vms"], vms.filter((_, i) => i !== index));
}
