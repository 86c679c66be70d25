import { expect, test } from "vitest";
import { describeCron, formatRun, makeCron, parseCron } from "./schedule";

test.each(["hourly", "15 3 * * *", "0 4 * * 6", "*/20 1-5 1 * *"])("%s comes back as it was", (cron) => {
  expect(makeCron(parseCron(cron))).toBe(cron);
});

test.each([
  ["daily", "Every day at 03:00"],
  ["Weekly", "Every Sunday at 03:00"],
  ["0 * * * *", "Every hour"],
  ["5 14 * * 7", "Every Sunday at 14:05"],
  ["30 2 * * 1-5", "30 2 * * 1-5"],
])("%s reads %s", (cron, text) => expect(describeCron(cron)).toBe(text));

test("a run is shown in the zone of its policy, over a change of the clock", () => {
  expect(formatRun("2027-03-27T02:30:00+01:00")).toMatch(/27.*2027, 02:30 \(UTC\+01:00\)$/);
  expect(formatRun("2027-03-28T03:00:00+02:00")).toMatch(/28.*2027, 03:00 \(UTC\+02:00\)$/);
  expect(formatRun("2027-03-28T03:00:00+00:00")).toMatch(/03:00 \(UTC\)$/);
});
