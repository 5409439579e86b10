import { useState, type JSX } from "react";
import type { Field } from "./fields";

interface InputProps {
  id: string;
  field: Field;
  value: unknown;
  off: boolean;
  wrong: boolean;
  /** Ids of what describes the field. */
  says: string;
  set: (value: unknown) => void;
}

/** The control of one setting; undefined is its default. */
export function FieldInput({ id, field, value, off, wrong, says, set }: InputProps): JSX.Element {
  const common = { id, disabled: off, "aria-invalid": wrong, ...(says ? { "aria-describedby": says } : {}) };
  switch (field.type) {
    case "text":
      return <input type="text" {...common} placeholder={field.placeholder} value={textOf(value)} onChange={(e) => set(e.target.value === "" ? undefined : e.target.value)} />;
    case "number":
      return (
        <input
          type="number"
          {...common}
          min={field.min}
          max={field.max}
          value={textOf(value)}
          onChange={(e) => set(e.target.value === "" ? undefined : Number(e.target.value))}
        />
      );
    case "paths":
      return <Paths common={common} placeholder={field.placeholder} value={value} set={set} />;
    case "switch":
      return (
        <select {...common} value={typeof value === "boolean" ? String(value) : ""} onChange={(e) => set(e.target.value === "" ? undefined : e.target.value === "true")}>
          <option value="">Default ({field.usual ? "on" : "off"})</option>
          <option value="true">On</option>
          <option value="false">Off</option>
        </select>
      );
    case "choice":
      return (
        <select {...common} value={textOf(value)} onChange={(e) => set(e.target.value === "" ? undefined : e.target.value)}>
          <option value="">Default ({field.usual})</option>
          {field.options.map((o) => (
            <option key={o} value={o}>
              {o}
            </option>
          ))}
          {typeof value === "string" && value !== "" && !field.options.includes(value) ? <option value={value}>{value}</option> : null}
        </select>
      );
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

interface PathsProps {
  common: { id: string; disabled: boolean; "aria-invalid": boolean };
  placeholder: string | undefined;
  value: unknown;
  set: (value: unknown) => void;
}

/** One source or several, a line each. */
function Paths({ common, placeholder, value, set }: PathsProps): JSX.Element {
  const outside = Array.isArray(value) ? value.map(textOf).join("\n") : textOf(value);
  const [text, setText] = useState(outside);
  // While a line is begun, what is typed and what the manifest says differ by an empty line.
  if (clean(text).join("\n") !== outside) setText(outside);
  return (
    <textarea
      {...common}
      rows={Math.min(Math.max(text.split("\n").length, 1), 8)}
      placeholder={placeholder}
      spellCheck={false}
      value={text}
      onChange={(e) => {
        setText(e.target.value);
        const lines = clean(e.target.value);
        set(lines.length > 1 ? lines : (lines[0] ?? ""));
      }}
    />
  );
}

function clean(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
