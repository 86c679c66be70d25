import { expect, test } from "vitest";
import type { Item } from "../../lib/api";
import { findItems, listNew } from "./find";

function make(id: string, more: Partial<Item> = {}): Item {
  return { id, name: id, description: "", tags: [], category: "Tools", source: "builtin", ...more } as Item;
}

const items = [
  make("grafana", { description: "Draws what prometheus measures.", tags: ["dashboard"] }),
  make("prometheus", { category: "Monitoring" }),
  make("node-prometheus", { source: "own" }),
];
const wish = { text: "", category: "", source: "", order: "" };

function find(text: string, more = {}): string[] {
  return findItems(items, { ...wish, text, ...more }).map((item) => item.id);
}

test("names come before descriptions", () => {
  expect(find("Prometheus")).toEqual(["prometheus", "node-prometheus", "grafana"]);
});

test("every word must be there", () => {
  expect(find("grafana dash")).toEqual(["grafana"]);
  expect(find("grafana zebra")).toEqual([]);
});

test("category and source restrict", () => {
  expect(find("", { category: "Monitoring" })).toEqual(["prometheus"]);
  expect(find("", { source: "own" })).toEqual(["node-prometheus"]);
});

test("nothing is new when all came at once", () => {
  const at = "2026-11-30T12:00:00Z";
  const now = Date.parse("2026-12-06T12:00:00Z");
  const old = [make("a", { added_at: at }), make("b", { added_at: at })];
  expect(listNew(old, now)).toEqual(new Set());
  expect(listNew([...old, make("c", { added_at: "2026-12-05T12:00:00Z" })], now)).toEqual(new Set(["c"]));
});
