import { describe, expect, test } from "vitest";
import { marksOf } from "../src/manifest/marks";
import { convert, read, setAt, type Draft } from "../src/manifest/text";
import { addVM, emptyDraft, removeVM, shapeOf } from "../src/manifest/vms";
import { dotted, groups } from "../src/manifest/fields";
import { getAt } from "../src/manifest/text";
import schema from "../../schema/manifest-v1.schema.json";
import type { ManifestProblem } from "../src/api/types";

const yaml = (text: string): Draft => ({ kind: "yaml", text });

describe("the form edits the text", () => {
  test("a value is set where it belongs, and comments, order and unknown keys stay", () => {
    const before = yaml('version: "1.0" # ours\nx-note: keep me\npipeline:\n  load: {source_path: a.vmdk}\n');
    const after = setAt(before, ["pipeline", "convert", "compress"], false);
    expect(after.text).toContain("# ours");
    expect(after.text).toContain("x-note: keep me");
    expect(read(after)).toEqual({ version: "1.0", "x-note": "keep me", pipeline: { load: { source_path: "a.vmdk" }, convert: { compress: false } } });
  });

  test("what goes back to its default is no longer written, nor what held only that", () => {
    const one = setAt(emptyDraft, ["pipeline", "fix", "network", "fix_level"], "moderate");
    expect(read(setAt(one, ["pipeline", "fix", "network", "fix_level"], undefined))).toEqual(read(emptyDraft));
    const two = setAt(one, ["pipeline", "fix", "enabled"], true);
    expect(getAt(read(setAt(two, ["pipeline", "fix", "network", "fix_level"], undefined)), ["pipeline", "fix"])).toEqual({ enabled: true });
  });

  test("an empty text, and a key with nothing behind it, take values", () => {
    expect(read(setAt(yaml(""), ["pipeline", "load", "source_path"], "a"))).toEqual({ pipeline: { load: { source_path: "a" } } });
    expect(read(setAt(yaml("pipeline:\n  fix:\n"), ["pipeline", "fix", "enabled"], false))).toEqual({ pipeline: { fix: { enabled: false } } });
  });

  test("a text that cannot be read is left alone", () => {
    const broken = yaml("pipeline: [\n");
    expect(read(broken)).toBeUndefined();
    expect(setAt(broken, ["name"], "x")).toEqual(broken);
    expect(convert(broken, "json")).toEqual(broken);
  });

  test("hostile names stay what they are in both ways of writing", () => {
    for (const name of ["yes", "1.0", "null", "# no comment", "a: b", '"', "ümlaut\u{1F600}", " lead", "- x", "&a *a", "{", "08:30"]) {
      for (const kind of ["yaml", "json"] as const) {
        const draft = setAt(convert(emptyDraft, kind), ["name"], name);
        expect(getAt(read(draft), ["name"])).toBe(name);
        expect(getAt(read(convert(draft, kind === "yaml" ? "json" : "yaml")), ["name"])).toBe(name);
      }
    }
  });

  test("YAML and JSON say the same, there and back", () => {
    const draft = setAt(setAt(emptyDraft, ["pipeline", "load", "source_path"], ["a.vmdk", "b.vmdk"]), ["vm", "cpu"], 4);
    const there = convert(draft, "json");
    expect(JSON.parse(there.text)).toEqual(read(draft));
    expect(read(convert(there, "yaml"))).toEqual(read(draft));
  });
});

describe("VMs of a manifest", () => {
  test("a second VM makes a batch of a single one, and nothing is lost", () => {
    const one = setAt(setAt(setAt(emptyDraft, ["pipeline", "load", "source_path"], "web01.vmdk"), ["vm", "cpu"], 2), ["x-note"], "kept");
    const two = addVM(one);
    expect(read(two)).toEqual({
      version: "1.0",
      "x-note": "kept",
      batch: true,
      vms: [
        { name: "web01", pipeline: { load: { source_path: "web01.vmdk" } }, vm: { cpu: 2 } },
        { name: "vm2", pipeline: { load: { source_path: "" } } },
      ],
    });
    const shape = shapeOf(addVM(two));
    expect("vms" in shape && shape.vms.map((v) => dotted(v.base))).toEqual(["vms[0]", "vms[1]", "vms[2]"]);
    expect(getAt(read(removeVM(two, 0)), ["vms", 0, "name"])).toBe("vm2");
  });

  test("other dialects are left to the editor, and it is said", () => {
    for (const text of ["input: a.vmdk", "jobs: []", 'manifest_version: "1.0"', "- a", "a: [", "just words"]) expect(shapeOf(yaml(text))).toHaveProperty("why");
  });
});

describe("marks", () => {
  const problem = (line: number, column: number, end_column: number): ManifestProblem => ({
    code: "H2K-MAN-002",
    severity: "error",
    file: "",
    line,
    column,
    end_column,
    path: "",
    message: "unknown key",
    hint: "did you mean that?",
  });

  test("lines and characters from 1 become places in the text", () => {
    const text = "a: 1\n\u{1F600}x: bad\nlast";
    const marked = (p: ManifestProblem): string => marksOf(text, [p]).map((m) => text.slice(m.from, m.to)).join("");
    expect(marked(problem(2, 2, 3))).toBe("x");
    expect(marked(problem(2, 5, 8))).toBe("bad");
    expect(marked(problem(3, 1, 5))).toBe("last");
    expect(marked(problem(0, 0, 0))).toBe("a"); // the file as a whole
    expect(marked(problem(99, 99, 99))).toBe(""); // the text became shorter meanwhile
    expect(marksOf(text, [problem(2, 2, 3)])[0]?.message).toBe("H2K-MAN-002: unknown key; did you mean that?");
  });
});

/** What the schema says of a path of the pipeline manifest. */
function schemaAt(path: readonly (string | number)[]): { type?: string; enum?: unknown[]; default?: unknown; oneOf?: unknown[] } | undefined {
  let node: unknown = schema.definitions.pipelineManifest;
  for (const key of path) {
    node = getAt(node, ["properties", key]);
    const ref = getAt(node, ["$ref"]);
    if (typeof ref === "string") node = getAt(schema, ref.split("/").slice(1));
  }
  return node as ReturnType<typeof schemaAt>;
}

test("the form offers what the schema has, with its values and defaults", () => {
  for (const field of groups.flatMap((g) => g.fields)) {
    const says = schemaAt(field.path);
    expect(says, dotted(field.path)).toBeDefined();
    if (field.type === "switch") expect([says?.type, says?.default], dotted(field.path)).toEqual(["boolean", field.usual]);
    if (field.type === "choice") {
      for (const option of field.options) expect(says?.enum, dotted(field.path)).toContain(option);
      if (says?.default !== undefined) expect(field.usual, dotted(field.path)).toBe(says.default);
    }
  }
});
