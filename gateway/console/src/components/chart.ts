/** The geometry of a chart: scales, ticks and paths, in pixels of its picture. */
export interface Series {
  label: string;
  tone: "accent" | "warn";
  /** null: not measured, a gap. */
  values: (number | null)[];
}
export type Unit = "percent" | "bytes" | "rate";
export type Scale = (value: number) => number;

const STEPS_S = [300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000];
const DAY_S = 86_400;

export function makeScale(from: number, to: number, start: number, end: number): Scale {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}

/** The upper end of the axis: `top` where it is known, else a little more than the highest value. */
export function findTop(series: readonly Series[], unit: Unit, top?: number): number {
  if (top) return top;
  const high = Math.max(0, ...series.flatMap((each) => each.values.map((value) => value ?? 0)));
  return Math.max(unit === "percent" ? 5 : 1024, high * 1.1);
}

/** Values at the axis from 0 on, `most` at the most: tens for percent, powers of two for bytes. */
export function listTicks(top: number, unit: Unit, most = 4): number[] {
  let step = unit === "percent" ? 10 ** Math.floor(Math.log10(top / most)) : 2 ** Math.floor(Math.log2(top / most));
  const factors = unit === "percent" ? [2, 2.5, 2] : [2];
  for (let index = 0; top / step > most; index += 1) step *= factors[index % factors.length] ?? 2;
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
}

/** Times at the axis, in round steps of the local time, and whether they are days. */
export function listTimes(from: number, to: number, most: number): { times: number[]; days: boolean } {
  const step = STEPS_S.find((each) => (to - from) / each <= most) ?? to - from;
  const zone = step >= 3600 ? new Date(from * 1000).getTimezoneOffset() * 60 : 0;
  const times: number[] = [];
  for (let time = Math.ceil((from - zone) / step) * step + zone; time <= to; time += step) times.push(time);
  return { times, days: step >= DAY_S };
}

/** The line of a series; it is broken where nothing was measured. `base`: the path of the area down to there. */
export function makePath(times: readonly number[], values: readonly (number | null)[], x: Scale, y: Scale, base?: number): string {
  const runs: [number, number][][] = [[]];
  for (const [index, value] of values.entries()) {
    if (value === null) runs.push([]);
    else runs.at(-1)?.push([x(times[index] ?? 0), y(value)]);
  }
  const write = (run: [number, number][]): string => {
    const line = run.map((point) => point.map((each) => each.toFixed(1)).join(" ")).join("L");
    const [first, last] = [run[0]?.[0] ?? 0, run.at(-1)?.[0] ?? 0];
    return base === undefined ? `M${line}` : `M${first.toFixed(1)} ${String(base)}L${line}L${last.toFixed(1)} ${String(base)}Z`;
  };
  return runs.filter((run) => run.length > 0).map(write).join("");
}

/** The index of the time that is nearest; null where there is none. */
export function findNearest(times: readonly number[], wanted: number): number | null {
  let found: number | null = null;
  for (const [index, time] of times.entries()) {
    if (found === null || Math.abs(time - wanted) < Math.abs((times[found] ?? 0) - wanted)) found = index;
  }
  return found;
}
