/** What somebody should look at, the worst first. */
import type { App, Schemas } from "../../lib/api";
import { count, formatPercent } from "../../lib/format";
import { concerns as words } from "./en";

export interface Concern {
  id: string;
  tone: "bad" | "warn";
  text: string;
  detail?: string;
  href: string;
}

type Node = Schemas["Summary"]["nodes"][number];
const FULL = 0.9; // share of a node's memory or storage from which on it is named
const NAMED = 4; // names in a sentence; the rest is a number

export function findConcerns(summary: Schemas["Summary"], apps: readonly App[]): Concern[] {
  return [
    ...listBrokenApps(apps), ...listParts(summary), ...listHosts(summary.nodes), ...listNodes(summary.nodes), ...listFailures(summary),
    ...listConditions(apps), ...listBackups(summary, apps), ...listUpdates(apps),
  ];
}

function listBrokenApps(apps: readonly App[]): Concern[] {
  return apps
    .filter((app) => app.status === "error")
    .map((app) => ({ id: `error-${app.id}`, tone: "bad", text: words.broken(app.name), ...(app.error ? { detail: app.error } : {}), href: `/apps/${app.id}` }));
}

function listConditions(apps: readonly App[]): Concern[] {
  return apps.flatMap((app) =>
    app.conditions.map((each): Concern => ({ id: `${each.type}-${app.id}`, tone: "warn", text: app.name, detail: each.message, href: `/apps/${app.id}` })),
  );
}

function listParts(summary: Schemas["Summary"]): Concern[] {
  return summary.unavailable.map((name) => ({ id: `part-${name}`, tone: "bad", text: words.silentService(name), detail: words.silentServiceDetail, href: "/hosts" }));
}

/** Hosts that do not answer: then the state of all of their nodes is unknown. */
function listHosts(nodes: readonly Node[]): Concern[] {
  const silent = new Map<number, Node[]>();
  for (const node of nodes) if (node.status === "unknown") silent.set(node.host_id, [...(silent.get(node.host_id) ?? []), node]);
  return [...silent].map(([id, all]) => ({
    id: `host-${String(id)}`, tone: "bad", text: words.silentHost(all[0]?.host_name ?? ""), detail: words.silentHostDetail(listNames(all.map((each) => each.name), all.length)), href: "/hosts",
  }));
}

function listNodes(nodes: readonly Node[]): Concern[] {
  return nodes.flatMap((node): Concern[] => {
    const place = { id: `node-${String(node.host_id)}-${node.name}`, href: "/hosts" };
    if (node.status === "unknown") return [];
    if (node.status !== "online") return [{ ...place, tone: "bad", text: words.node(node.name, node.status) }];
    const shares: [string, number][] = [
      [words.memory, node.memory_used / (node.memory_total || 1)],
      [words.storage, node.storage_used / (node.storage_total || 1)],
    ];
    return shares
      .filter(([, share]) => share >= FULL)
      .map(([what, share]) => ({ ...place, id: `${place.id}-${what}`, tone: "warn", text: words.full(node.name, what, formatPercent(share)) }));
  });
}

function listFailures(summary: Schemas["Summary"]): Concern[] {
  if (summary.operations_failed === 0) return [];
  return [{ id: "failures", tone: "bad", text: words.failed(count(summary.operations_failed, "operation")), href: "/#activity" }];
}

function listBackups(summary: Schemas["Summary"], apps: readonly App[]): Concern[] {
  const without = summary.apps_without_backup ?? 0;
  if (without === 0) return [];
  const names = summary.app_ids_without_backup.map((id) => apps.find((app) => app.id === id)?.name ?? id);
  return [{ id: "backups", tone: "warn", text: words.withoutBackup(count(without, "app")), detail: listNames(names, without), href: "/backups" }];
}

function listUpdates(apps: readonly App[]): Concern[] {
  const outdated = apps.filter((app) => app.update);
  const [first] = outdated;
  if (!first) return [];
  const href = outdated.length === 1 ? `/apps/${first.id}?do=update` : "/apps?update=1";
  return [{ id: "updates", tone: "warn", text: words.updates(count(outdated.length, "update")), detail: listNames(outdated.map((app) => app.name), outdated.length), href }];
}

function listNames(names: readonly string[], total: number): string {
  const rest = total - Math.min(names.length, NAMED);
  return names.slice(0, NAMED).join(", ") + (rest > 0 ? words.more(rest) : "");
}
