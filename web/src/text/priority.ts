/** The least and the greatest priority. Of the jobs that can start, one with a higher priority does so first. */
export const lastPriority = 1;
export const firstPriority = 100;
export const normalPriority = 50;

/** The priorities that have a name, as hyperctl has them. */
export const namedPriorities: readonly { value: number; word: string }[] = [
  { value: 75, word: "High" },
  { value: normalPriority, word: "Normal" },
  { value: 25, word: "Low" },
];

/** 75 -> "High", 60 -> "60" */
export function priorityWord(priority: number): string {
  return namedPriorities.find((p) => p.value === priority)?.word ?? String(priority);
}
