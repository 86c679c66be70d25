import { expect, test } from "vitest";
import { findNearest, findTop, listTicks, listTimes, makePath, makeScale, type Series } from "./chart";

const same = (value: number): number => value;
const series = (values: (number | null)[]): Series => ({ label: "", tone: "accent", values });

test("a line is broken where nothing was measured, and an area goes down to the axis", () => {
  expect(makePath([1, 2, 3, 4], [5, null, 7, 8], same, same)).toBe("M1.0 5.0M3.0 7.0L4.0 8.0");
  expect(makePath([1, 2], [5, 6], same, same, 9)).toBe("M1.0 9L1.0 5.0L2.0 6.0L2.0 9Z");
  expect(makePath([1, 2], [null, null], same, same)).toBe("");
});

test("ticks are round numbers up to the top, few of them", () => {
  expect(listTicks(100, "percent")).toEqual([0, 50, 100]);
  expect(listTicks(5, "percent").length).toBeLessThanOrEqual(5);
  expect(listTicks(2 ** 31, "bytes")).toEqual([0, 2 ** 29, 2 ** 30, 3 * 2 ** 29, 2 ** 31]);
  expect(listTicks(1024, "rate").every((each) => Number.isInteger(each))).toBe(true);
});

test("the axis ends at what is known, else above the highest value, and never at 0", () => {
  expect(findTop([series([1, 2])], "bytes", 4096)).toBe(4096);
  expect(findTop([series([null, 50])], "percent")).toBeCloseTo(55);
  expect(findTop([series([null])], "percent")).toBe(5);
});

test("times at the axis are round and fit", () => {
  const day = listTimes(1_800_000_123, 1_800_086_523, 5);
  expect(day.times.length).toBeLessThanOrEqual(6);
  expect(day.times.every((each) => new Date(each * 1000).getMinutes() === 0)).toBe(true);
  expect(listTimes(1_800_000_000, 1_831_536_000, 5).days).toBe(true);
  expect(listTimes(5, 5, 4).times.length).toBeLessThanOrEqual(1);
});

test("the nearest time is found, of none none", () => {
  expect(findNearest([10, 20, 30], 24)).toBe(1);
  expect(findNearest([], 24)).toBeNull();
  expect(makeScale(0, 10, 0, 100)(5)).toBe(50);
  expect(makeScale(3, 3, 0, 100)(3)).toBe(0);
});
