/** What the screens of backups have in common. */
import type { Backup } from "./api";
import { formatBytes } from "./format";
import { live } from "./live.svelte";

export function describeSize(backup: Backup): string {
  return backup.size > 0 ? formatBytes(backup.size) : "";
}

export function isUnderWay(backup: Backup): boolean {
  return backup.status === "creating" || backup.status === "restoring" || backup.status === "deleting";
}

/** The name of its app as it is now; of one that was deleted as it was. */
export function nameApp(backup: Backup): string {
  return live.apps.get(backup.application_id)?.name ?? (backup.app_name || backup.application_id);
}

/** The path parameters of calls about a backup. */
export function locate(backup: Backup): { path: { app_id: string; backup_id: number } } {
  return { path: { app_id: backup.application_id, backup_id: backup.id } };
}
