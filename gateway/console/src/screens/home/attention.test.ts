import { expect, test } from "vitest";
import type { App, Schemas } from "../../lib/api";
import { findConcerns } from "./attention";

const node = { host_id: 1, host_name: "pve", name: "pve1", status: "online", cpu_count: 4, cpu_usage: 0, memory_total: 100, memory_used: 20, storage_total: 100, storage_used: 10, last_updated: "" };
const calm: Schemas["Summary"] = {
  apps_total: 1, apps_by_status: { running: 1 }, updates_available: 0, operations_running: 0, operations_failed: 0,
  apps_without_backup: 0, app_ids_without_backup: [], nodes: [node], unavailable: [],
};
function make(id: string, more: Partial<App> = {}): App {
  return { id, name: id, status: "running", conditions: [], ...more } as App;
}
function list(summary: Partial<Schemas["Summary"]>, apps: App[] = []): string[] {
  return findConcerns({ ...calm, ...summary }, apps).map((each) => [each.text, each.detail].filter(Boolean).join(": "));
}

test("nothing is said where nothing is wrong", () => expect(list({}, [make("web")])).toEqual([]));

test("an app in error comes first, with the reason", () => {
  expect(list({ operations_failed: 1 }, [make("web", { status: "error", error: "no space" })])).toEqual(["web is in error: no space", "1 operation failed in the last 24 hours"]);
});

test("nodes that are gone or full are named", () => {
  const nodes = [{ ...node, status: "offline" }, { ...node, name: "pve2", memory_used: 95 }];
  expect(list({ nodes })).toEqual(["Node pve1 is offline", "Node pve2: memory 95 % used"]);
});

test("a host that does not answer is named once, and not each of its nodes", () => {
  const nodes = [{ ...node, status: "unknown" }, { ...node, name: "pve2", status: "unknown", memory_used: 99 }];
  expect(list({ nodes })).toEqual(["The host pve does not answer: What is shown of pve1, pve2 is old."]);
});

test("apps without backups are named up to four", () => {
  expect(list({ apps_without_backup: 6, app_ids_without_backup: ["a", "b", "c", "d", "e", "f"] }, [make("a", { name: "Files" })])).toEqual(["6 apps without a backup: Files, b, c, d and 2 more"]);
});

test("a service that does not answer is no silence", () => expect(list({ unavailable: ["backups"] })[0]).toContain("backups does not answer"));

test("one update leads to its dialog, several to the list", () => {
  const update = { revision: "r", version: "2" };
  expect(findConcerns(calm, [make("a", { update })])[0]?.href).toBe("/apps/a?do=update");
  expect(findConcerns(calm, [make("a", { update }), make("b", { update })])[0]?.href).toBe("/apps?update=1");
});
