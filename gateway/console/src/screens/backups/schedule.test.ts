import { expect, test } from "vitest";
import { describeCron, makeCron, parseCron } from "./schedule";

test.each(["hourly", "15 3 * * *", "0 4 * * 6", "*/20 1-5 1 * *"])("%s comes back as it was", (cron) => {
  expect(makeCron(parseCron(cron))).toBe(cron);
});

test.each([
  ["daily", "Every day at 00:00"],
  ["weekly", "Every Sunday at 00:00"],
  ["0 * * * *", "Every hour"],
  ["5 14 * * 7", "Every Sunday at 14:05"],
  ["30 2 * * 1-5", "30 2 * * 1-5"],
])("%s reads %s", (cron, text) => expect(describeCron(cron)).toBe(text));
