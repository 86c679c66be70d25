/** The form of a policy and the requests that it becomes. */
import type { Schemas } from "../../lib/api";
import { makeCron, parseCron, type Schedule } from "./schedule";

type Policy = Schemas["BackupPolicy"];
export const KEEPS = ["last", "hourly", "daily", "weekly", "monthly", "yearly"] as const;

export interface PolicyForm {
  name: string;
  schedule: Schedule;
  time_zone: string;
  window: string;
  keep: Record<(typeof KEEPS)[number], string>;
  applies_to: string;
  app_ids: string[];
  excluded: string[];
  new_apps: boolean;
  storage: string;
  second: string;
  way: string;
  test: string;
  enabled: boolean;
}

export function makeForm(policy: Policy | null): PolicyForm {
  const keep = { last: "1", hourly: "0", daily: "7", weekly: "4", monthly: "6", yearly: "0" };
  if (!policy) {
    const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    return { name: "", schedule: parseCron("0 3 * * *"), time_zone, window: "15", keep, applies_to: "all", app_ids: [], excluded: [], new_apps: false, storage: "", second: "", way: "snapshot", test: "never", enabled: true };
  }
  for (const each of KEEPS) keep[each] = String(policy[`keep_${each}`]);
  return {
    name: policy.name, schedule: parseCron(policy.schedule), time_zone: policy.time_zone, window: String(policy.window_minutes), keep,
    applies_to: policy.applies_to, app_ids: [...policy.app_ids], excluded: [...policy.excluded_app_ids], new_apps: policy.new_apps,
    storage: policy.storage, second: policy.second_storage, way: policy.backup_type, test: policy.test_restore, enabled: policy.enabled,
  };
}

/** A number, or the text as it is, whose fault the server names. */
function readNumber(text: string): number {
  return (text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text)) as number;
}

/** What the form asks for. The selection is sent whole, as the server replaces it whole. */
export function makeRequest(form: PolicyForm, policy: Policy | null): Schemas["CreateBackupPolicyRequest"] {
  const keeps = Object.fromEntries(KEEPS.map((each) => [`keep_${each}`, readNumber(form.keep[each])]));
  const chooses = form.applies_to === "apps";
  return {
    name: form.name.trim(),
    schedule: makeCron(form.schedule),
    time_zone: form.time_zone.trim(),
    window_minutes: readNumber(form.window),
    ...keeps,
    applies_to: form.applies_to as "all",
    ...(chooses ? { app_ids: form.app_ids, new_apps: form.new_apps } : { excluded_app_ids: form.excluded }),
    ...(form.applies_to === "owners" && policy ? { owner_ids: policy.owner_ids } : {}),
    storage: form.storage || null,
    second_storage: form.second || null,
    backup_type: form.way as "snapshot",
    test_restore: form.test as "never",
    enabled: form.enabled,
  };
}
