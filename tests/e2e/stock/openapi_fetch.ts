/** openapi-fetch, typed by what openapi-typescript makes of the document. */
import createClient from "openapi-fetch";
import type { paths } from "./generated/openapi_typescript.js";
import { url, walkFromNode } from "./node.js";
import { parseEvents } from "./sse.js";
import type { Platform } from "./walk.js";

const api = createClient<paths>({ baseUrl: url });

async function take<T>(answer: Promise<{ data?: T; error?: { error: string }; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (data === undefined) throw new Error(`${response.status} ${error?.error}`);
  return data;
}

const platform: Platform = {
  async signIn(username, password) {
    const { access } = await take(api.POST("/api/auth/login", { body: { username, password } }));
    api.use({ onRequest: ({ request }) => request.headers.set("authorization", `Bearer ${access}`) });
  },
  async deploy(hostname) {
    return (await take(api.POST("/api/apps", { body: { catalog_id: "adminer", hostname } }))).id;
  },
  async *watch(app_id, after) {
    const params = { path: { app_id }, query: { last_event_id: after } };
    const { data, response } = await api.GET("/api/apps/{app_id}/events", { params, parseAs: "stream" });
    if (!data) throw new Error(`the events answer ${response.status}`);
    yield* parseEvents(data);
  },
  async backUp(app_id) {
    return (await take(api.POST("/api/apps/{app_id}/backups", { params: { path: { app_id } }, body: {} }))).id;
  },
  async readBackupStatus(app_id, backup_id) {
    const params = { path: { app_id, backup_id } };
    return (await take(api.GET("/api/apps/{app_id}/backups/{backup_id}", { params }))).status;
  },
  async restore(app_id, backup_id) {
    const params = { path: { app_id, backup_id } };
    await take(api.POST("/api/apps/{app_id}/backups/{backup_id}/restore", { params, body: {} }));
  },
  async remove(app_id) {
    await take(api.DELETE("/api/apps/{app_id}", { params: { path: { app_id } } }));
  },
};
await walkFromNode(platform);
