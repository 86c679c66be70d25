import { expect, test } from "vitest";
import { count, formatAgo, formatBytes, formatDuration, formatMegabytes, formatPercent } from "./format";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1536, "1.5 KB"],
  [2 * 1024 ** 3, "2 GB"],
  [637_802_643_456, "594 GB"],
  [-5, "0 B"],
])("%d bytes are %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test("megabytes are those of the API", () => expect(formatMegabytes(2048)).toBe("2 GB"));

test.each([
  [0, "0 %"],
  [0.005, "0.5 %"],
  [0.5, "50 %"],
  [1, "100 %"],
])("%d is %s", (share, text) => expect(formatPercent(share)).toBe(text));

test.each([
  [12.4, "12 s"],
  [60, "1 min"],
  [80, "1 min 20 s"],
  [3660, "1 h 1 min"],
  [90_000, "1 d 1 h"],
])("%d seconds are %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test("times are relative to now", () => {
  const now = Date.parse("2026-11-30T12:00:00Z");
  expect(formatAgo("2026-11-30T11:59:17Z", now)).toBe("just now");
  expect(formatAgo("2026-11-30T12:00:40Z", now)).toBe("in a moment");
  expect(formatAgo("2026-11-30T11:57:00Z", now)).toBe("3 minutes ago");
  expect(formatAgo("2026-12-02T13:00:00Z", now)).toBe("in 2 days");
});

test("nouns agree with their number", () => {
  expect(count(1, "app")).toBe("1 app");
  expect(count(1200, "app")).toBe("1,200 apps");
  expect(count(2, "entry", "entries")).toBe("2 entries");
});
