/** What a chart draws. */
export interface Series {
  label: string;
  tone: "accent" | "warn";
  /** null: not measured, a gap. */
  values: (number | null)[];
}
export type Unit = "percent" | "bytes" | "rate";
