/** Schedules as people choose them, and as cron expressions. */
export interface Schedule {
  kind: "hourly" | "daily" | "weekly" | "own";
  /** HH:MM */
  time: string;
  /** 0: Sunday, as cron counts. */
  day: string;
  cron: string;
}

export const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const DEFAULT: Schedule = { kind: "daily", time: "03:00", day: "0", cron: "" };
/** What the server means by the names, which it stores as they were written. */
const NAMES: Record<string, string> = { hourly: "0 * * * *", daily: "0 3 * * *", weekly: "0 3 * * 0" };

export function makeCron(schedule: Schedule): string {
  const [hour = "0", minute = "0"] = schedule.time.split(":");
  const start = `${String(Number(minute))} ${String(Number(hour))}`;
  if (schedule.kind === "hourly") return "hourly";
  if (schedule.kind === "daily") return `${start} * * *`;
  if (schedule.kind === "weekly") return `${start} * * ${schedule.day}`;
  return schedule.cron.trim();
}

export function parseCron(text: string): Schedule {
  const cron = NAMES[text.toLowerCase()] ?? text;
  if (cron === NAMES["hourly"]) return { ...DEFAULT, kind: "hourly" };
  const found = /^(\d{1,2}) (\d{1,2}) \* \* (\*|[0-7])$/.exec(cron);
  if (!found) return { ...DEFAULT, kind: "own", cron: text };
  const [, minute = "0", hour = "0", day = "*"] = found;
  const time = `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}`;
  return day === "*" ? { ...DEFAULT, time } : { ...DEFAULT, kind: "weekly", time, day: String(Number(day) % 7) };
}

export function describeCron(text: string): string {
  const schedule = parseCron(text);
  if (schedule.kind === "hourly") return "Every hour";
  if (schedule.kind === "daily") return `Every day at ${schedule.time}`;
  if (schedule.kind === "weekly") return `Every ${DAYS[Number(schedule.day)] ?? ""} at ${schedule.time}`;
  return text;
}

/** A run as the server writes it, `2027-03-28T03:00:00+02:00`: the time of the policy's zone, not of the browser's. */
export function formatRun(run: string): string {
  const local = run.slice(0, 16);
  const day = new Date(`${local}Z`).toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
  return `${day}, ${local.slice(11)} (UTC${run.slice(19) === "+00:00" || run.endsWith("Z") ? "" : run.slice(19)})`;
}
