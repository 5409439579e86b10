import type { Path } from "./text";

interface Base {
  label: string;
  /** Below the VM: in a single manifest its top, in a batch an entry of vms. */
  path: Path;
  help?: string;
}

export type Field = Base &
  (
    | { type: "text"; placeholder?: string }
    | { type: "paths"; placeholder?: string }
    | { type: "number"; min: number; max: number }
    | { type: "switch"; usual: boolean }
    | { type: "choice"; options: readonly string[]; usual: string }
  );

export interface Group {
  title: string;
  /** The field that switches the others off. */
  gate?: Path;
  fields: readonly Field[];
}

const sources = ["vmdk", "ova", "ovf", "vmx", "vhd", "vhdx", "qcow2", "vdi", "raw", "img", "ami"] as const;

/** What the form edits. Whatever else a manifest may say is edited as text beside it. */
export const groups: readonly Group[] = [
  {
    title: "Source",
    fields: [
      { type: "paths", label: "Source", path: ["pipeline", "load", "source_path"], placeholder: "web01.vmdk", help: "A file in the queue's to_be_processed, or an absolute path. Several disks of one VM: a line each, the boot disk first." },
      { type: "choice", label: "Source type", path: ["pipeline", "load", "source_type"], options: sources, usual: "by content", help: "Checked against the content when given." },
      { type: "text", label: "Name of the VM", path: ["name"], placeholder: "as the file is called" },
    ],
  },
  {
    title: "Inspect and fix",
    gate: ["pipeline", "fix", "enabled"],
    fields: [
      { type: "switch", label: "Inspect the guest", path: ["pipeline", "inspect", "enabled"], usual: true },
      { type: "switch", label: "Fix the guest", path: ["pipeline", "fix", "enabled"], usual: true, help: "Off leaves the guest as it is." },
      { type: "switch", label: "Repair /etc/fstab", path: ["pipeline", "fix", "fstab", "enabled"], usual: true },
      { type: "choice", label: "How fstab is repaired", path: ["pipeline", "fix", "fstab", "mode"], options: ["stabilize-all", "bypath-only", "noop"], usual: "stabilize-all" },
      { type: "switch", label: "Repair the boot loader", path: ["pipeline", "fix", "grub", "enabled"], usual: true },
      { type: "switch", label: "Rebuild the initramfs", path: ["pipeline", "fix", "initramfs", "regenerate"], usual: true },
      { type: "switch", label: "Repair the network settings", path: ["pipeline", "fix", "network", "enabled"], usual: true },
      { type: "choice", label: "How far they change", path: ["pipeline", "fix", "network", "fix_level"], options: ["conservative", "moderate", "aggressive"], usual: "moderate" },
      { type: "switch", label: "Remove VMware Tools", path: ["pipeline", "fix", "remove_vmware_tools"], usual: true },
    ],
  },
  {
    title: "Convert",
    fields: [
      { type: "choice", label: "Output format", path: ["pipeline", "convert", "output_format"], options: ["qcow2", "raw", "vmdk", "vdi"], usual: "qcow2" },
      { type: "switch", label: "Compress", path: ["pipeline", "convert", "compress"], usual: true, help: "qcow2 only." },
      { type: "choice", label: "Compression", path: ["pipeline", "convert", "compression"], options: ["zlib", "zstd"], usual: "zlib" },
      { type: "text", label: "Output path", path: ["pipeline", "convert", "output_path"], placeholder: "the output directory, by date and name" },
    ],
  },
  {
    title: "Validate",
    gate: ["pipeline", "validate", "enabled"],
    fields: [
      { type: "switch", label: "Check the result", path: ["pipeline", "validate", "enabled"], usual: true },
      { type: "switch", label: "Boot test", path: ["pipeline", "validate", "boot_test"], usual: false, help: "Starts the converted VM for a moment on a throw-away copy." },
      { type: "switch", label: "A failed boot fails the job", path: ["pipeline", "validate", "require_boot"], usual: false },
    ],
  },
  {
    title: "Machine",
    fields: [
      { type: "number", label: "Processors", path: ["vm", "cpu"], min: 1, max: 4096, help: "For lone disks: an OVF, OVA or VMX says it itself." },
      { type: "number", label: "Memory in GiB", path: ["vm", "mem_gb"], min: 1, max: 65536 },
      { type: "choice", label: "Firmware", path: ["vm", "firmware"], options: ["bios", "uefi"], usual: "as found" },
    ],
  },
];

/** The path as the problems of the API write it: vms[0].pipeline.load.source_path. */
export function dotted(path: Path): string {
  return path.map((key, i) => (typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`)).join("");
}
