/** What the screens of backups have in common. */
import type { Backup } from "./api";
import { formatBytes } from "./format";

export function describeSize(backup: Backup): string {
  return backup.size > 0 ? formatBytes(backup.size) : "";
}

export function isUnderWay(backup: Backup): boolean {
  return backup.status === "creating" || backup.status === "restoring" || backup.status === "deleting";
}

/** Why a backup cannot be restored now; empty when it can. */
export function findObstacle(backup: Backup): string | undefined {
  if (backup.status === "completed") return undefined;
  return isUnderWay(backup) ? "It is in use" : "It is not complete";
}
