import type { JSX } from "react";
import type { BootTest } from "../api/types";
import { duration } from "../text/format";
import { Facts } from "./facts";
import { Icon } from "./icon";

export function BootResult({ test }: { test: BootTest }): JSX.Element {
  return (
    <div className={`note ${test.passed ? "note-good" : "note-bad"}`}>
      <Icon name={test.passed ? "done" : "failed"} />
      <div>
        <p>
          <strong>{test.passed ? "The VM boots on KVM" : "The boot test failed"}</strong> after {duration(test.seconds)}
        </p>
        <p>{test.why}</p>
        <Facts
          of={[
            ["Evidence", test.evidence ? <code>{test.evidence}</code> : undefined],
            ["Login", test.login],
            ["Disks", test.disks],
            ["Firmware", test.firmware],
          ]}
        />
      </div>
    </div>
  );
}
