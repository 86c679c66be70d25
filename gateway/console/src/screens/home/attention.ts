/** What somebody should look at, the worst first. */
import type { App, Schemas } from "../../lib/api";
import { count, formatPercent } from "../../lib/format";

export interface Concern {
  id: string;
  tone: "bad" | "warn";
  text: string;
  detail?: string;
  href: string;
}

const FULL = 0.9; // share of a node's memory or storage from which on it is named
const NAMED = 4; // names in a sentence; the rest is a number

export function findConcerns(summary: Schemas["Summary"], apps: readonly App[]): Concern[] {
  return [...listBrokenApps(apps), ...listParts(summary), ...listNodes(summary), ...listFailures(summary), ...listConditions(apps), ...listBackups(summary, apps), ...listUpdates(apps)];
}

function listBrokenApps(apps: readonly App[]): Concern[] {
  return apps
    .filter((app) => app.status === "error")
    .map((app) => ({ id: `error-${app.id}`, tone: "bad", text: `${app.name} is in error`, ...(app.error ? { detail: app.error } : {}), href: `/apps/${app.id}` }));
}

function listConditions(apps: readonly App[]): Concern[] {
  return apps.flatMap((app) =>
    app.conditions.map((each): Concern => ({ id: `${each.type}-${app.id}`, tone: "warn", text: app.name, detail: each.message, href: `/apps/${app.id}` })),
  );
}

function listParts(summary: Schemas["Summary"]): Concern[] {
  return summary.unavailable.map((name) => ({ id: `part-${name}`, tone: "bad", text: `The service ${name} does not answer`, detail: "What it knows is not shown here.", href: "/hosts" }));
}

function listNodes(summary: Schemas["Summary"]): Concern[] {
  return summary.nodes.flatMap((node): Concern[] => {
    const place = { id: `node-${String(node.host_id)}-${node.name}`, href: "/hosts" };
    if (node.status !== "online") return [{ ...place, tone: "bad", text: `Node ${node.name} is ${node.status}` }];
    const shares: [string, number][] = [
      ["memory", node.memory_used / (node.memory_total || 1)],
      ["storage", node.storage_used / (node.storage_total || 1)],
    ];
    return shares
      .filter(([, share]) => share >= FULL)
      .map(([what, share]) => ({ ...place, id: `${place.id}-${what}`, tone: "warn", text: `Node ${node.name}: ${what} ${formatPercent(share)} used` }));
  });
}

function listFailures(summary: Schemas["Summary"]): Concern[] {
  if (summary.operations_failed === 0) return [];
  return [{ id: "failures", tone: "bad", text: `${count(summary.operations_failed, "operation")} failed in the last 24 hours`, href: "/#activity" }];
}

function listBackups(summary: Schemas["Summary"], apps: readonly App[]): Concern[] {
  const without = summary.apps_without_backup ?? 0;
  if (without === 0) return [];
  const names = summary.app_ids_without_backup.map((id) => apps.find((app) => app.id === id)?.name ?? id);
  return [{ id: "backups", tone: "warn", text: `${count(without, "app")} without a backup`, detail: listNames(names, without), href: "/backups" }];
}

function listUpdates(apps: readonly App[]): Concern[] {
  const outdated = apps.filter((app) => app.update);
  const [first] = outdated;
  if (!first) return [];
  const href = outdated.length === 1 ? `/apps/${first.id}?do=update` : "/apps?update=1";
  return [{ id: "updates", tone: "warn", text: `${count(outdated.length, "update")} available`, detail: listNames(outdated.map((app) => app.name), outdated.length), href }];
}

function listNames(names: readonly string[], total: number): string {
  const rest = total - Math.min(names.length, NAMED);
  return names.slice(0, NAMED).join(", ") + (rest > 0 ? ` and ${String(rest)} more` : "");
}
