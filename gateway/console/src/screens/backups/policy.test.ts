import { expect, test } from "vitest";
import type { Schemas } from "../../lib/api";
import { describeApps, describeKeep, describeLimits, makeForm, makeRequest } from "./policy";

const stored: Schemas["BackupPolicy"] = {
  id: 1, name: "nightly", schedule: "30 2 * * *", time_zone: "Europe/Rome", window_minutes: 20, jitter_minutes: 5, backup_type: "stop", compression: "gzip",
  storage: "nas", second_storage: "pbs", keep_last: 2, keep_hourly: 0, keep_daily: 7, keep_weekly: 0, keep_monthly: 0, keep_yearly: 1, app_ids: [], owner_ids: [3],
  excluded_app_ids: ["b"], new_apps: false, applies_to: "owners", test_restore: "weekly", verify: "each", enabled: true, created_at: "", updated_at: "",
};
const name = (id: string | number): string => `<${String(id)}>`;

test("what is stored comes back whole", () => {
  const { id: _, app_ids: __, created_at: ____, updated_at: _____, ...rest } = stored;
  expect(makeRequest(makeForm(stored))).toEqual(rest);
  const toNew = { ...stored, applies_to: "apps", app_ids: ["a"], owner_ids: [], new_apps: true };
  expect(makeRequest(makeForm(toNew))).toMatchObject({ app_ids: ["a"], new_apps: true, excluded_app_ids: ["b"] });
  expect(makeRequest(makeForm({ ...stored, new_apps: true }))).toMatchObject({ owner_ids: [3], new_apps: true });
});

test("the server judges what is no number, and gets no selection that is not shown", () => {
  const form = { ...makeForm(stored), applies_to: "apps", app_ids: ["a"], jitter: "soon", window: "" };
  expect(makeRequest(form)).toMatchObject({ app_ids: ["a"], new_apps: false, jitter_minutes: "soon", window_minutes: "" });
  expect(makeRequest(form)).not.toHaveProperty("owner_ids");
  expect(makeRequest(form)).not.toHaveProperty("excluded_app_ids");
});

test.each([
  [{}, "All apps of <3>, except <b>"],
  [{ applies_to: "all", excluded_app_ids: [] }, "All apps"],
  [{ applies_to: "all", excluded_app_ids: [], owner_id: 3 }, "All apps of mine"],
  [{ applies_to: "all", excluded_app_ids: [], owner_id: 4 }, "All apps of <4>"],
  [{ applies_to: "apps", app_ids: ["a", "b", "c", "d", "e"] }, "<a>, <b>, <c> and 2 more"],
  [{ new_apps: true }, "All apps of <3> and every new app, except <b>"],
  [{ applies_to: "apps", app_ids: ["a"], new_apps: true }, "<a> and every new app, except <b>"],
  [{ applies_to: "apps", new_apps: true, excluded_app_ids: [] }, "Every new app"],
  [{ applies_to: "apps" }, "No app"],
])("%o applies to %s", (more, text) => expect(describeApps({ ...stored, ...more }, name, name, 3)).toBe(text));

test("numbers and limits in words", () => {
  expect(describeKeep(stored)).toBe("2 last, 7 daily, 1 yearly");
  const limits = { allowed: true, max_policies: 1, min_interval_minutes: 1440, max_kept: 30, storages: [] };
  expect(describeLimits(limits)).toBe("1 policy a user, runs at least 24 hours apart, 30 backups of an app, on any storage.");
  expect(describeLimits({ ...limits, allowed: false })).toBe("not allowed.");
});
