/** The form of a policy, the requests that it becomes, and policies in words. */
import type { Schemas } from "../../lib/api";
import { count, readNumber } from "../../lib/format";
import { words } from "./en";
import { makeCron, parseCron, type Schedule } from "./schedule";

type Policy = Schemas["BackupPolicy"];
export const KEEPS = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;
const NAMED = 3; // names in a sentence; the rest is a number
const HOUR = 60;

export interface PolicyForm {
  name: string;
  schedule: Schedule;
  time_zone: string;
  window: string;
  jitter: string;
  keep: Record<(typeof KEEPS)[number], string>;
  applies_to: string;
  app_ids: string[];
  owner_ids: number[];
  excluded: string[];
  new_apps: boolean;
  storage: string;
  second: string;
  way: string;
  compression: string;
  test: string;
  verify: string;
  enabled: boolean;
}

export function makeForm(policy: Policy | null): PolicyForm {
  const keep = { last: "1", hourly: "0", daily: "7", weekly: "4", monthly: "6", yearly: "0" };
  if (!policy) {
    const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    return {
      name: "", schedule: parseCron("0 3 * * *"), time_zone, window: "15", jitter: "0", keep, applies_to: "all", app_ids: [], owner_ids: [], excluded: [],
      new_apps: false, storage: "", second: "", way: "snapshot", compression: "zstd", test: "never", verify: "never", enabled: true,
    };
  }
  for (const each of KEEPS) keep[each] = String(policy[`keep_${each}`]);
  return {
    name: policy.name, schedule: parseCron(policy.schedule), time_zone: policy.time_zone, window: String(policy.window_minutes), jitter: String(policy.jitter_minutes), keep,
    applies_to: policy.applies_to, app_ids: [...policy.app_ids], owner_ids: [...policy.owner_ids], excluded: [...policy.excluded_app_ids], new_apps: policy.new_apps,
    storage: policy.storage, second: policy.second_storage, way: policy.backup_type, compression: policy.compression, test: policy.test_restore, verify: policy.verify, enabled: policy.enabled,
  };
}

/** What the form asks for. The selection is sent whole, as the server replaces it whole. */
export function makeRequest(form: PolicyForm): Schemas["CreateBackupPolicyRequest"] {
  const keeps = Object.fromEntries(KEEPS.map((each) => [`keep_${each}`, readNumber(form.keep[each])]));
  const chooses = form.applies_to === "apps";
  return {
    name: form.name.trim(),
    schedule: makeCron(form.schedule),
    time_zone: form.time_zone.trim(),
    window_minutes: readNumber(form.window),
    jitter_minutes: readNumber(form.jitter),
    ...keeps,
    applies_to: form.applies_to as "all",
    ...(chooses ? { app_ids: form.app_ids } : {}),
    ...(form.applies_to === "owners" ? { owner_ids: form.owner_ids } : {}),
    ...(form.applies_to !== "all" ? { new_apps: form.new_apps } : {}),
    ...(chooses && !form.new_apps ? {} : { excluded_app_ids: form.excluded }),
    storage: form.storage || null,
    second_storage: form.second || null,
    backup_type: form.way as "snapshot",
    compression: form.compression as "zstd",
    test_restore: form.test as "never",
    verify: form.verify as "never",
    enabled: form.enabled,
  };
}

function listNames(names: readonly string[]): string {
  return names.length <= NAMED ? names.join(", ") : words.andMore(names.slice(0, NAMED).join(", "), names.length - NAMED);
}

/** The apps that a policy applies to. `me`: the user who reads it. */
export function describeApps(policy: Policy, nameOf: (id: string) => string, nameUser: (id: number) => string, me: number): string {
  const except = policy.excluded_app_ids.length > 0 ? words.exceptApps(listNames(policy.excluded_app_ids.map(nameOf))) : "";
  if (policy.applies_to === "all") {
    const { owner_id } = policy;
    return (owner_id === undefined ? words.toAll : owner_id === me ? words.toAllMine : words.appsOfUsers(nameUser(owner_id))) + except;
  }
  const names = policy.applies_to === "owners" ? words.appsOfUsers(listNames(policy.owner_ids.map(nameUser))) : listNames(policy.app_ids.map(nameOf));
  if (!policy.new_apps) return policy.applies_to === "owners" ? names + except : names || words.noApp;
  return (names ? words.andNew(names) : words.onlyNew) + except;
}

export function describeKeep(policy: Policy): string {
  return KEEPS.filter((each) => policy[`keep_${each}`] > 0).map((each) => `${String(policy[`keep_${each}`])} ${words.keeps[each].toLowerCase()}`).join(", ");
}

export function describeLimits(limits: Schemas["BackupPolicyLimits"]): string {
  if (!limits.allowed) return words.limitsOff;
  const minutes = limits.min_interval_minutes;
  const interval = minutes % HOUR === 0 ? count(minutes / HOUR, "hour") : count(minutes, "minute");
  const storages = limits.storages.length > 0 ? limits.storages.join(", ") : words.anyStorage;
  return words.limitsText(count(limits.max_policies, "policy", "policies"), interval, count(limits.max_kept, "backup"), storages);
}
