/** What the screens of apps have in common. */
import { api, get, makeKey, type App } from "./api";
import { live } from "./live.svelte";

export type Action = "start" | "stop" | "restart";

/** Statuses in which nothing is being done to an app. */
const STABLE = new Set(["running", "stopped", "error"]);

export function isStable(app: App): boolean {
  return STABLE.has(app.status);
}

/** What can be done now, in the order of the buttons. */
export function listActions(app: App): Action[] {
  if (app.status === "running") return ["restart", "stop"];
  if (app.status === "stopped" || app.status === "error") return ["start"];
  return [];
}

/** Ask for an action. Returns the server's sentence. Throws ApiError. */
export async function act(app: App, action: Action): Promise<string> {
  const headers = { "Idempotency-Key": makeKey() };
  const call = api.POST("/api/apps/{app_id}/action", { params: { path: { app_id: app.id } }, body: { action }, headers });
  const { message } = await get(call);
  await live.read(app.id).catch(() => undefined);
  return message;
}

/** The icon of the catalog item that an app came from. */
export function getIcon(app: App): string | undefined {
  const icon = (app as App & { icon?: string }).icon;
  if (icon !== undefined) return icon || undefined;
  return app.adopted ? undefined : `/api/catalog/${encodeURIComponent(app.catalog_id)}/icon`;
}

/** Whether the address is a page that a browser opens; a database has a tcp one. */
export function isWeb(app: App): boolean {
  return /^https?:\/\//.test(app.url ?? "");
}
