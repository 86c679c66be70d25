/** Numbers, sizes and times as people read them. */
const STEP = 1024;
const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];
const SPANS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["week", 604_800],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const short = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** 1536 -> "1.5 KB". */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= STEP && unit < UNITS.length - 1) {
    value /= STEP;
    unit += 1;
  }
  const digits = value >= 100 || unit === 0 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ""}`;
}

/** Megabytes, as the API counts memory. */
export function formatMegabytes(megabytes: number): string {
  return formatBytes(megabytes * STEP * STEP);
}

export function formatPercent(share: number): string {
  const percent = Math.round(share * 1000) / 10;
  return `${percent.toFixed(percent < 10 && !Number.isInteger(percent) ? 1 : 0)} %`;
}

export function formatDateTime(text: string): string {
  return dateTime.format(new Date(text));
}

/** Seconds since 1970 as a short time. */
export function formatShort(seconds: number): string {
  return short.format(new Date(seconds * 1000));
}

export function formatTime(text: string): string {
  return time.format(new Date(text));
}

export function formatDate(text: string): string {
  return date.format(new Date(text));
}

/** "3 minutes ago", "in 2 days". */
export function formatAgo(text: string, now: number): string {
  const seconds = (Date.parse(text) - now) / 1000;
  const span = SPANS.find(([, length]) => Math.abs(seconds) >= length);
  if (!span) return seconds > 10 ? "in a moment" : "just now";
  return relative.format(Math.trunc(seconds / span[1]), span[0]);
}

/** Seconds as "1 min 20 s". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${String(whole)} s`;
  if (whole < 3600) return `${String(Math.floor(whole / 60))} min${whole % 60 ? ` ${String(whole % 60)} s` : ""}`;
  if (whole < 86_400) return `${String(Math.floor(whole / 3600))} h ${String(Math.floor((whole % 3600) / 60))} min`;
  return `${String(Math.floor(whole / 86_400))} d ${String(Math.floor((whole % 86_400) / 3600))} h`;
}

/** "1 app", "2 apps". */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${new Intl.NumberFormat("en").format(number)} ${number === 1 ? one : many}`;
}

/** The number that a field holds, or its text as it is, whose fault the server names. */
export function readNumber(text: string): number {
  return (text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text)) as number;
}
