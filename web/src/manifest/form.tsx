import { useId, type JSX } from "react";
import type { ManifestProblem } from "../api/types";
import { Icon } from "../parts/icon";
import { FieldInput } from "./input";
import { dotted, groups, type Field } from "./fields";
import { getAt, type Path } from "./text";

interface FormProps {
  value: unknown;
  base: Path;
  problems: readonly ManifestProblem[];
  set: (path: Path, value: unknown) => void;
}

/** The settings of one VM. What is left at its default is not written: then the daemon decides. */
export function Form({ value, base, problems, set }: FormProps): JSX.Element {
  return (
    <>
      {groups.map((group) => {
        const gateOff = group.gate !== undefined && getAt(value, [...base, ...group.gate]) === false;
        return (
          <fieldset key={group.title} className="group">
            <legend>{group.title}</legend>
            {group.fields.map((field) => {
              const path = [...base, ...field.path];
              const off = gateOff && field.path[1] === group.gate?.[1] && dotted(field.path) !== dotted(group.gate ?? []);
              return <Row key={dotted(path)} field={field} value={getAt(value, path)} off={off} problem={problems.find((p) => p.path === dotted(path))} set={(v) => set(path, v)} />;
            })}
          </fieldset>
        );
      })}
    </>
  );
}

interface RowProps {
  field: Field;
  value: unknown;
  /** What it would say is switched off. */
  off: boolean;
  problem: ManifestProblem | undefined;
  set: (value: unknown) => void;
}

function Row({ field, value, off, problem, set }: RowProps): JSX.Element {
  const id = useId();
  const says = [field.help ? `${id}-help` : "", problem ? `${id}-problem` : ""].filter((s) => s !== "").join(" ");
  return (
    <div className={off ? "formrow formrow-off" : "formrow"}>
      <label htmlFor={id} id={`${id}-label`}>
        {field.label}
      </label>
      <FieldInput id={id} field={field} value={value} off={off} wrong={problem !== undefined} says={says} set={set} />
      {field.help ? (
        <p id={`${id}-help`} className="muted small formhelp">
          {field.help}
        </p>
      ) : null}
      {problem ? (
        <p id={`${id}-problem`} className="formproblem small">
          <Icon name="failed" />
          {problem.message}
          {problem.hint ? `; ${problem.hint}` : ""}
        </p>
      ) : null}
    </div>
  );
}
