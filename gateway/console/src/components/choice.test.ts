import { expect, test } from "vitest";
import { choose } from "./choice";

test("one thing goes in or out, and the others stay", () => {
  expect(choose(["a"], "b", true)).toEqual(["a", "b"]);
  expect(choose(["a", "b"], "a", false)).toEqual(["b"]);
  expect(choose([1, 2], 2, true)).toEqual([1, 2]);
});
